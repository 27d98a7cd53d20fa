package activities

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// An incident that ended before the newest part of the window refuses no start; one that has ended
// just now, or goes on, refuses it and says from when it can start.
func TestPreflightAfterAnIncident(t *testing.T) {
	for name, tc := range map[string]struct {
		ended time.Duration
		want  rollout.Decision
		says  string
	}{
		"two minutes ago": {2 * time.Minute, rollout.Promote, "0.1% (6/6,000), limit 5% in the last 1m; until then, in the last 5m: 30%"},
		"just now":        {time.Second, rollout.Refuse, "UTC at the earliest: 1m without harm suffice"},
	} {
		end := time.Now().Add(-tc.ended)
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			query, now := r.FormValue("query"), time.Now()
			result := "[]"
			one := func(v float64) string { return fmt.Sprintf(`[{"metric":{},"value":[1,"%f"]}]`, v) }
			switch _, span, ranged := strings.Cut(query, "["); {
			case strings.Contains(query, "timestamp("):
				result = one(float64(now.UnixMilli()) / 1000)
			case ranged && strings.HasPrefix(query, "sum(increase("):
				span, _, _ = strings.Cut(span, "]")
				d, err := model.ParseDuration(span)
				if err != nil {
					t.Error(err)
				}
				long := time.Duration(d).Round(time.Second).Seconds()
				n := 100 * long
				if strings.Contains(query, "5..") {
					n = long/10 + 50*max(0, end.Sub(now.Add(-time.Duration(d))).Seconds())
				}
				result = one(float64(int(n)))
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":%s}}`, result)
		}))
		t.Cleanup(srv.Close)
		limit := spec.Number(0.05)
		f := newFixtureWith(t, 2, spec.Health{
			Every: spec.Duration(time.Millisecond), Window: spec.Duration(5 * time.Minute), StaleAfter: spec.Duration(30 * time.Second),
			Source: spec.Choose("prometheus", srv.URL), Without: []string{spec.CheckTraffic, spec.CheckAlive},
			Identify: spec.Identify{Label: "instance", Value: "{{address}}"},
			Checks: []spec.Check{{
				Name: "errors", Max: &limit, MinSamples: 100,
				Bad: `sum(increase(x{code=~"5..",$exposed}[$window]))`, Total: `sum(increase(x{$exposed}[$window]))`,
			}},
		})
		r := do[health.Report](t, f, f.acts.Preflight, PreflightInput{Plan: f.all.Plan, Until: time.Now()})
		decision, why := rollout.Admit(r, nil)
		require.Equal(t, tc.want, decision, "%s: %s", name, why)
		require.Contains(t, r.Results[0].Sentence, tc.says, name)
		require.Equal(t, tc.want == rollout.Promote, !r.Over.IsZero(), name)
	}
}
