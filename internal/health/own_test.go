package health

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// What the release did to the targets of earlier stages is not what is usual: a canary that shows
// four times the errors must not let the next stage pass with four times the errors.
func TestEarlierCanariesAreNotTheUsual(t *testing.T) {
	for name, tt := range map[string]struct {
		exposed int
		change  func(c *spec.Check)
	}{
		"with a control":             {8, func(*spec.Check) {}},
		"in the last stage":          {12, func(*spec.Check) {}},
		"against the time before":    {8, func(c *spec.Check) { c.Against = spec.AgainstBefore }},
		"of each, in the last stage": {12, func(c *spec.Check) { c.Each = spec.EachTarget }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const canaries = 6
				f := newFarm(t, 12)
				c := ratioOf(0)
				c.Max, c.Against, c.Worse = nil, spec.AgainstControl, num(0.5)
				tt.change(&c)
				h := quiet(scrapeSpec(c))
				h.FalseRollbackRate = 0.01
				h.Source = baselined(h, 60)
				b := f.binding(tt.exposed)
				b.Cohort, b.Bake = f.targets[canaries:tt.exposed], 10*time.Minute
				sick, tick := canaries, 0
				var bad, total [12]int
				count := func() {
					tick++
					for i, target := range f.targets {
						if total[i] += 1000; i < sick {
							bad[i] += 4 * (8 + tick%5)
						} else {
							bad[i] += 8 + tick%5
						}
						f.serve(target.ID, bad[i], total[i])
					}
				}
				count()
				done := make(chan struct{})
				go func() {
					time.Sleep(time.Second)
					for {
						select {
						case <-done:
							return
						case <-time.After(5 * time.Second):
							count()
						}
					}
				}()
				before, err := f.open(t, h, b).Baseline(t.Context(), f.applied.Add(-time.Minute))
				close(done)
				require.NoError(t, err)
				b.Before = before
				sick = tt.exposed
				m := f.open(t, h, b)
				var res Result
				for i := range 120 {
					count()
					if res = f.look(t, m, time.Duration(5*(i+1))*time.Second).Results[0]; res.Verdict == Fail {
						break
					}
					require.NotEqual(t, Pass, res.Verdict, "look %d: %s", i, res.Sentence)
				}
				require.Equal(t, Fail, res.Verdict, res.Sentence)
			})
		})
	}
}

// Of the exposed targets that are read the stage's own are half at least.
func TestScrapeReadsTheStagesOwnFirst(t *testing.T) {
	f := newFarm(t, 40)
	c := ratioOf(0)
	c.Max, c.Against, c.Worse = nil, spec.AgainstBefore, num(0.2)
	h := quiet(scrapeSpec(c))
	h.Source = sampling(h, 5)
	b := f.binding(40)
	b.Cohort = f.targets[37:]
	m := f.open(t, h, b)
	f.look(t, m, 5*time.Second)
	require.Len(t, keptPages(t, m).Last, 5)
	for _, own := range b.Cohort {
		require.Contains(t, keptPages(t, m).Last, own.ID)
	}
	read, of := m.stage.source.(source.Memory).Own().Coverage("requests_total", source.Exposed)
	require.Equal(t, []int{3, 3}, []int{read, of})
}
