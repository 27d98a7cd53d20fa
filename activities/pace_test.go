package activities

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/health/source/scrape"
	"github.com/sluicehq/sluice/internal/spec"
)

// A watch looks as often as health.every says: judges reckon with Bake/Every looks.
func TestWatchKeepsItsPace(t *testing.T) {
	for _, every := range []int{7} {
		t.Run(fmt.Sprint(every), func(t *testing.T) {
			t.Parallel()
			g := &gauge{}
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				g.reads.Add(1)
				_, _ = fmt.Fprint(w, "load 0\n")
			}))
			t.Cleanup(srv.Close)
			limit := spec.Number(1)
			h := spec.Health{Without: []string{spec.CheckTraffic}, Checks: []spec.Check{{Name: "load", Value: "load", Max: &limit}}}
			h.Source = spec.Choose("scrape", scrape.Scrape{URL: srv.URL, Sample: 5, Baseline: spec.Duration(time.Second)})
			h.Every, h.Window, h.StaleAfter = spec.Duration(time.Duration(every)*time.Second), spec.Duration(5*time.Minute), spec.Duration(60*time.Second)
			g.fixture = newFixtureWith(t, 1, h)
			g.env.SetTestTimeout(2 * time.Minute)
			g.state["t000"] = driver.State{Release: "2.0.0", Fence: fence, Alive: true}
			const span = 36
			out := do[StageReport](t, g.fixture, g.acts.Watch, WatchInput{HealthInput: g.input(), Until: time.Now().Add(span * time.Second)})
			require.True(t, out.Report.Clear(), out.Report)
			require.InDelta(t, span/every+1, g.reads.Load(), 1, "looks")
		})
	}
}
