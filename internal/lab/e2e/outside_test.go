package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A rollout without any source of metrics is judged by probes and by a judge of the user's own,
// which see what is wrong.
func TestWithoutASource(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	var mu sync.Mutex
	asked := map[string]bool{} // by release and stage
	judge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Unit, Release, Stage string }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Unit != unit {
			http.Error(w, "not a question", http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		asked[q.Release+" "+q.Stage] = true
		verdict := `{"verdict":"PASS","why":"as it should be"}`
		if q.Release == "2.0.2" {
			verdict = `{"verdict":"FAIL","why":"orders fell by half"}`
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, verdict)
	}))
	t.Cleanup(judge.Close)
	write := func(release string) string {
		path := filepath.Join(d.Dir, "outside-"+release+".yaml")
		require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `unit: edge-proxy
release: %q
fleet: fleet.yaml
driver: {http: {}}
stages:
  - {name: canary, count: 3, bake: 2s}
  - {name: everyone, reach: 100%%, bake: 2s}
health:
  every: 500ms
  without: [alive, traffic]
  checks:
    - {name: page, probe: {http: "http://{{address}}/metrics", contains: http_requests_total}}
    - {name: orders, webhook: {url: %q}}
`, release, judge.URL), 0o600))
		return path
	}
	d.sluice(0, "start", "--wait", write("2.0.0"))
	d.allOn("2.0.0")
	require.Contains(t, d.sluice(0, "explain", unit).Stdout, "all 12 exposed targets answer as they should")
	mu.Lock()
	require.True(t, asked[" canary"] && asked["2.0.0 canary"] && asked["2.0.0 everyone"], "%v", asked)
	mu.Unlock()

	d.sluice(3, "start", "--wait", write("2.0.1-crash"))
	d.allOn("2.0.0")
	require.Contains(t, d.sluice(0, "explain", unit).Stdout, "3 of 3 exposed targets: ")

	d.sluice(3, "start", "--wait", write("2.0.2"))
	d.allOn("2.0.0")
	require.Contains(t, d.sluice(0, "explain", unit).Stdout, "orders fell by half")
}
