package health

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Rare errors that pages show no more are noticed in the end, also where no window alone has enough
// of them; with what earlier stages have not shown either, sooner.
func TestScrapeNoticesThatRareErrorsVanished(t *testing.T) {
	for name, tc := range map[string]struct {
		ran   time.Duration
		looks int
		want  Verdict
	}{
		"too early to tell":   {0, 20, Pass},
		"in the end":          {0, 200, NoData},
		"with earlier stages": {time.Hour, 20, NoData},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFarm(t, 6)
				n := 0
				count := func(exposed bool) { // on the control one error in ten seconds
					n++
					for i, target := range f.targets {
						page := fmt.Sprintf("requests_total{code=\"200\"} %d\n", 100*n)
						if i >= 3 || !exposed {
							page += fmt.Sprintf("requests_total{code=\"500\"} %d\n", 1+n/2*max(0, 1-i%3))
						}
						f.page(target.ID, page)
					}
				}
				count(false)
				done := make(chan struct{})
				go func() {
					time.Sleep(time.Second)
					for {
						select {
						case <-done:
							return
						case <-time.After(5 * time.Second):
							count(false)
						}
					}
				}()
				h, b := quiet(scrapeSpec(ratioOf(0.5))), f.binding(3)
				h.Source, h.Warmup = baselined(h, 30), 0
				before, err := f.open(t, h, b).Baseline(t.Context(), f.applied.Add(-time.Minute))
				close(done)
				require.NoError(t, err)
				b.Before, b.Ran = before, tc.ran
				m := f.open(t, h, b)
				var res Result
				for i := range tc.looks {
					count(true)
					res = f.look(t, m, time.Duration(5*(i+1))*time.Second).Results[0]
				}
				require.Equal(t, tc.want, res.Verdict, res.Sentence)
				if tc.want == NoData {
					require.Contains(t, res.Sentence, "the exposed targets have no series of such events any more, of which about")
				}
			})
		})
	}
}
