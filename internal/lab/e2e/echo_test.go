package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
)

// rogues is a fleet that repeats the token it is sent in as many ways as there are, as soon as it
// runs a release that asks for it, or always where it is told to.
type rogues struct {
	mu       sync.Mutex
	releases map[string]string
	fences   map[string]int64
	always   bool
	sent     map[string]bool // the Authorization headers that came
}

func (r *rogues) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := strings.Split(req.URL.Path, "/")[1]
	authorization := req.Header.Get("Authorization")
	r.sent[authorization] = true
	if req.Method == http.MethodPut {
		var order struct{ Release string }
		fence, _ := strconv.ParseInt(req.Header.Get("Sluice-Fence"), 10, 64)
		if json.NewDecoder(req.Body).Decode(&order) != nil || fence < r.fences[id] {
			http.Error(w, "no order", http.StatusConflict)
			return
		}
		if strings.Contains(order.Release, "refused") {
			http.Error(w, "no rights with "+authorization, http.StatusUnauthorized)
			return
		}
		r.releases[id], r.fences[id] = order.Release, fence
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if r.always || strings.Contains(r.releases[id], "echo") {
		repeat(w, id, authorization, r.releases[id])
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"release": r.releases[id], "fence": r.fences[id], "alive": true})
}

// repeat answers with the token, each target in its own way.
func repeat(w http.ResponseWriter, id, token, release string) {
	quoted, _ := json.Marshal(token)
	state := fmt.Sprintf(`{"release":%q,"alive":false,"detail":%s}`, release, quoted)
	switch id {
	case "t0":
		_, _ = io.WriteString(w, state)
	case "t1":
		http.Error(w, url.QueryEscape(token)+" "+string(quoted), http.StatusUnauthorized)
	case "t2":
		w.Header().Set("Location", "http://169.254.169.254/"+url.PathEscape(token))
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, token)
	case "t3":
		raw(w, "HTTP/1.1 200 OK\r\n"+token+"\r\n\r\n")
	case "t4":
		_, _ = fmt.Fprintf(w, `{"release":%s,"alive":true}`, strings.ReplaceAll(string(quoted), " ", "-"))
	default: // and more than was asked for
		raw(w, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%sHTTP/1.1 %s\r\n%s\r\n\r\n", len(state), state, token, token))
	}
}

// raw answers bytes that need not be HTTP, and leaves the connection open.
func raw(w http.ResponseWriter, text string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_, _ = io.WriteString(conn, text)
	}
}

// gossip is a judge that repeats its token: in its verdicts, or as an error.
func gossip(sent func(string)) http.HandlerFunc {
	var mu sync.Mutex
	asked := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		token := r.Header.Get("Authorization")
		sent(token)
		switch asked % 4 {
		case 1:
			http.Error(w, token, http.StatusInternalServerError)
		case 2:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]string{"verdict": token, "why": token})
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]string{"verdict": "PASS", "why": "as you said: " + token})
		}
	}
}

// Whatever targets and judges make of the tokens that they are sent, in answers, errors, redirects
// and what is no HTTP at all: none is found in anything that is kept or shown.
func TestTokensThatAreRepeated(t *testing.T) {
	token, judges := "planted+"+rand.Text()+"/=", "planted<"+rand.Text()+">"
	t.Setenv("SLUICE_TEST_TOKEN", token)
	t.Setenv("SLUICE_TEST_JUDGE", judges)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
	fleet := &rogues{releases: map[string]string{}, fences: map[string]int64{}, sent: map[string]bool{}}
	targets := httptest.NewServer(fleet)
	t.Cleanup(targets.Close)
	judge := httptest.NewServer(gossip(func(s string) { fleet.mu.Lock(); defer fleet.mu.Unlock(); fleet.sent[s] = true }))
	t.Cleanup(judge.Close)

	d := deploy(t, 1)
	d.worker.Kill()
	w, err := d.Worker("--listen", "127.0.0.1:0", "--log-level", "debug")
	require.NoError(t, err)
	d.worker = w
	var inventory strings.Builder
	inventory.WriteString("targets:\n")
	for i := range 6 {
		id := fmt.Sprint("t", i)
		fleet.releases[id] = "1.0.0"
		fmt.Fprintf(&inventory, "- {id: %s, address: \"%s/%s\"}\n", id, strings.TrimPrefix(targets.URL, "http://"), id)
	}
	require.NoError(t, os.WriteFile(filepath.Join(d.Dir, "rogues.yaml"), []byte(inventory.String()), 0o600))

	var shown strings.Builder
	run := func(release, ref string, want rollout.Phase) {
		path := filepath.Join(d.Dir, "rogue-"+release+".yaml")
		require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `unit: %s
release: %s
fleet: rogues.yaml
driver: {http: {token: %q, timeout: 1s}}
apply: {attempts: 1}
rollback: {deadline: 5s, recover: 1s}
stages: [{name: all, reach: 100%%, bake: 2s, decideWithin: 3s}]
health:
  every: 500ms
  without: [traffic]
  checks: [{name: judge, webhook: {url: %q, token: "${env:SLUICE_TEST_JUDGE}"}}]
`, unit, release, ref, judge.URL), 0o600))
		ran := d.sluice(0, "start", path)
		shown.WriteString(ran.Stdout + ran.Stderr)
		end := d.result()
		require.Equal(t, want, end.Outcome.Result, end.Outcome.Why)
		for _, args := range [][]string{{"status", unit}, {"explain", "--queries", unit}, {"status", "-o", "json", unit}} {
			ran := d.sluice(0, args...)
			shown.WriteString(ran.Stdout + ran.Stderr)
		}
	}
	run("2.0.0", "${env:SLUICE_TEST_TOKEN}", rollout.PhasePromoted)
	run("2.0.1-echo", "file:"+file, rollout.PhaseRolledBack)
	run("2.0.2-refused", "${env:SLUICE_TEST_TOKEN}", rollout.PhaseRefused)
	fleet.mu.Lock()
	fleet.always = true
	fleet.mu.Unlock()
	run("2.0.3", "${env:SLUICE_TEST_TOKEN}", rollout.PhaseRefused)

	require.True(t, fleet.sent["Bearer "+token], "the targets were sent their token")
	require.True(t, fleet.sent["Bearer "+judges], "the judge was sent its token")
	require.Contains(t, shown.String(), "[redacted]")
	shown.Write(d.metrics())
	shown.Write(d.histories())
	for _, marker := range []string{token, judges} {
		core := marker[len("planted+") : len("planted+")+20] // whatever is done to the rest
		require.NotContains(t, shown.String(), core)
		d.nowhere(core)
	}
}

// A secret that was written into a spec is refused with the way to refer to it, and is not
// repeated.
func TestInlineSecretsAreRefused(t *testing.T) {
	t.Parallel()
	d := deploy(t, 3)
	marker := "planted-" + rand.Text()
	for what, change := range map[string][2]string{
		"a driver's token":   {"driver: {http: {}}", "driver: {http: {token: " + marker + "}}"},
		"a token in a URL":   {"driver: {http: {}}", "driver: {http: {url: \"http://me:" + marker + "@{{address}}/\"}}"},
		"a receiver's token": {"stages:", "notify: {webhook: \"https://hooks.example/\", token: " + marker + "}\nstages:"},
		"a password":         {"stages:", "notify: {webhook: \"https://me:" + marker + "@hooks.example/\"}\nstages:"},
		"a source's":         {"scrape: {baseline: 2s}", "prometheus: \"http://me:" + marker + "@prometheus:9090\""},
		"a query's token":    {"driver: {http: {}}", "driver: {http: {url: \"http://{{address}}/?token=" + marker + "\"}}"},
		"a program's token":  {"driver: {http: {}}", "driver: {exec: {observe: [/bin/true], apply: [/bin/true, --token=" + marker + "]}}"},
		"a judge's token":    {"    - name: errors", "    - {name: judge, webhook: {url: \"http://judge/\", token: " + marker + "}}\n    - name: errors"},
	} {
		t.Run(what, func(t *testing.T) {
			path := d.spec("2.0.0", "2s", "")
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			text := strings.Replace(string(data), change[0], change[1], 1)
			require.Contains(t, text, marker)
			path = filepath.Join(t.TempDir(), "spec.yaml")
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			for _, args := range [][]string{{"validate", path}, {"plan", path}, {"start", path}, {"start", "-o", "json", path}} {
				ran := d.sluice(2, args...)
				require.NotContains(t, ran.Stdout+ran.Stderr, marker)
				require.Regexp(t, `\$\{env:NAME\}|a proxy in front|--token-file`, ran.Stdout+ran.Stderr)
			}
		})
	}
	d.nowhere(marker)
}
