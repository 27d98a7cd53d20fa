package health

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// One dead host of six: the others' requests hide that it answers nobody, and the check of all of
// them passes. It is found within the first looks, by its own past.
func TestOneTargetWithoutTraffic(t *testing.T) {
	for name, test := range map[string]struct {
		rate    int // of the target, per look before the stage
		others  int // per look since it
		dead    bool
		probed  int // requests of monitors per look, which a dead host still gets
		verdict Verdict
	}{
		"dead":                 {rate: 1000, others: 1000, dead: true, verdict: Fail},
		"dead and probed":      {rate: 1000, others: 1000, dead: true, probed: 2, verdict: Fail},
		"a tenth is left":      {rate: 1000, others: 1000, dead: true, probed: 100, verdict: Pass},
		"little, probed":       {rate: 20, others: 1000, dead: true, probed: 2, verdict: Pass},
		"alive":                {rate: 1000, others: 1000, verdict: Pass},
		"little traffic":       {rate: 2, others: 1000, dead: true, verdict: Pass},
		"all others have less": {rate: 200, others: 20, dead: true, verdict: ""},
		"never had any":        {rate: 0, others: 1000, dead: true, verdict: Pass},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFarm(t, 6)
				b := f.binding(6)
				serve := func(n int) {
					f.serve("*", 0, 1000*n)
					f.serve("t3", 0, test.rate*n)
				}
				for n := range 2 {
					time.AfterFunc(time.Duration(5*n+4)*time.Second, func() { serve(n + 1) })
				}
				before, err := f.open(t, scrapeSpec(ratioOf(0.5)), b).Baseline(t.Context(), f.applied.Add(-time.Minute))
				require.NoError(t, err)
				b.Before = before
				m := f.open(t, scrapeSpec(ratioOf(0.5)), b)
				var got []Verdict
				said := ""
				all, own := 2000, 2*test.rate
				for i := range 4 {
					r := f.look(t, m, time.Duration(5*(i+1))*time.Second)
					got = append(got, result(t, r, spec.CheckTraffic).Verdict)
					said += result(t, r, spec.CheckTraffic).Sentence
					all, own = all+test.others, own+test.probed
					if !test.dead {
						own += test.rate
					}
					f.serve("*", 0, all)
					f.serve("t3", 0, own)
					if i == 3 && test.verdict == Fail {
						require.Regexp(t, `^1 of 6 exposed targets had requests before the stage and have (none|almost none) now: t3 \((\d of )?[\d,]+ expected\)`,
							result(t, r, spec.CheckTraffic).Sentence)
					}
				}
				switch test.verdict {
				case "": // all lost most: that is said, and nothing of a single target
					require.NotContains(t, said, "have none now")
				default:
					require.Equal(t, test.verdict, got[3], "%v", got)
				}
			})
		})
	}
}
