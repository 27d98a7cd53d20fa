package prometheus

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health/source"
)

// A metric that is there under another label than identify says is no misspelt one: the message
// shows the labels.
func TestUnidentified(t *testing.T) {
	const there = `{"metric": {"__name__": "requests_total", "instance": "exporter:1", "target": "web"}, "value": [1, "5"]}`
	const stamped = `{"metric": {}, "value": [1, "1700000000"]}`
	for name, tt := range map[string]struct {
		own, any string
		want     string
	}{
		"another label": {"", there, `no series of requests_total has instance="web:80", by which health.identify finds a target; ` +
			`there is one with instance="exporter:1", target="web"`},
		"found":    {stamped, there, ""},
		"misspelt": {"", "", "none of the targets that are asked about has series such as requests_total"},
	} {
		t.Run(name, func(t *testing.T) {
			p := opened(t, func(w http.ResponseWriter, r *http.Request) {
				result := ""
				switch query := r.FormValue("query"); {
				case strings.HasPrefix(query, "topk"):
					result = tt.any
				case strings.Contains(query, `"web:80"`):
					result = tt.own
				case tt.any != "":
					result = stamped
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, result)
			}, time.Time{})
			why := source.HistoryOf(p).Misspelt(t.Context(), `sum(increase(requests_total{code=~"5..",$exposed}[$window]))`, time.Now())
			if tt.want == "" {
				require.Empty(t, why)
			} else {
				require.Contains(t, why, tt.want)
			}
		})
	}
}
