package health

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// What each exposed target's page showed before the stage it must still show: pages of the others
// do not answer for it.
func TestScrapeKnowsWhatVanished(t *testing.T) {
	value := spec.Check{Name: "queue", Value: "queue", Max: num(5)}
	page := func(label string, n int) string {
		return fmt.Sprintf("requests_total{%[1]s=\"200\"} %[2]d\nrequests_total{%[1]s=\"500\"} %[3]d\nqueue 1\n", label, 99*n, n)
	}
	for name, tc := range map[string]struct {
		check   spec.Check
		exposed int
		silent  int
		rate    int // hundreds of requests of a look, 1 of 100 bad
		after   func(f *farm, n int)
		want    Verdict
		says    string
	}{
		"all goes on": {ratioOf(0.5), 3, 0, 1, func(*farm, int) {}, Pass, ""},
		"one of three serves no counters": {
			ratioOf(0.5), 3, 0, 1, func(f *farm, _ int) { f.page("t1", "process_x 1\n") },
			NoData, "1 of the exposed targets show no requests_total any more, as they did before the stage: t1",
		},
		"the same in the last stage":     {ratioOf(0.5), 6, 0, 1, func(f *farm, _ int) { f.page("t1", "process_x 1\n") }, NoData, ": t1"},
		"one of three has an empty page": {ratioOf(0.5), 3, 0, 1, func(f *farm, _ int) { f.page("t1", "") }, NoData, ": t1"},
		"one of three has no page": {
			ratioOf(0.5), 3, 0, 1, func(f *farm, _ int) { f.fail("t1", errors.New("connection refused")) },
			NoData, "1 of the exposed targets show no requests_total any more, as they did before the stage: t1 (its page could not be read: ",
		},
		"a target that may be silent has no page":   {ratioOf(0.5), 3, 1, 1, func(f *farm, _ int) { f.fail("t1", errors.New("connection refused")) }, Pass, ""},
		"one that may be silent serves no counters": {ratioOf(0.5), 3, 1, 1, func(f *farm, _ int) { f.page("t1", "process_x 1\n") }, NoData, ": t1"},
		"one of three renames the label": {
			ratioOf(0.5), 3, 0, 1, func(f *farm, n int) { f.page("t1", page("status", 100*n)) },
			NoData, `1 of the exposed targets show no requests_total{code=~"5.."} any more, as they did before the stage: t1`,
		},
		"one of three restarts, and nobody asks it": {ratioOf(0.5), 3, 0, 0, func(f *farm, _ int) { f.page("t1", "process_x 1\n") }, Unexercised, ""},
		"a number of one of three": {
			value, 3, 0, 1, func(f *farm, _ int) { f.page("t1", "process_x 1\n") },
			NoData, "1 of the exposed targets show no queue any more, as they did before the stage: t1",
		},
		"errors of all are exported no more": {ratioOf(0.5), 3, 0, 30, func(f *farm, n int) {
			for _, id := range []string{"t0", "t1", "t2"} {
				f.page(id, fmt.Sprintf("requests_total{code=\"200\"} %d\nqueue 1\n", 3000*n))
			}
		}, NoData, "the exposed targets have no series of such events any more, of which about"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFarm(t, 6)
				n := 0
				count := func() {
					n++
					f.page("*", page("code", tc.rate*n))
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
				tc.check.MinSamples = 1
				h, b := quiet(scrapeSpec(tc.check)), f.binding(tc.exposed)
				h.Source, h.Warmup = baselined(h, 30), 0
				b.Silent = tc.silent
				before, err := f.open(t, h, b).Baseline(t.Context(), f.applied.Add(-time.Minute))
				close(done)
				require.NoError(t, err)
				b.Before = before
				m := f.open(t, h, b)
				var res Result
				for i := range 8 {
					if i == 4 { // another worker goes on
						kept := m.State()
						m = f.open(t, h, b)
						require.NoError(t, m.Restore(kept))
					}
					count()
					tc.after(f, n)
					res = f.look(t, m, time.Duration(5*(i+1))*time.Second).Results[0]
				}
				require.Equal(t, tc.want, res.Verdict, res.Sentence)
				require.Contains(t, res.Sentence, tc.says)
			})
		})
	}
}
