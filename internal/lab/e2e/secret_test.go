package e2e

import (
	"bytes"
	"crypto/rand"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sluicehq/sluice/internal/rollout"
)

// receiver takes notifications, repeats what it was sent, and answers a status.
type receiver struct {
	mu     sync.Mutex
	status int
	bodies []string
	tokens []string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var body bytes.Buffer
	_, _ = body.ReadFrom(req.Body)
	r.bodies, r.tokens = append(r.bodies, body.String()), append(r.tokens, req.Header.Get("Authorization"))
	http.Error(w, req.URL.String()+" "+req.Header.Get("Authorization"), r.status)
}

func (r *receiver) got() ([]string, []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bodies, r.tokens
}

// Secrets that a worker uses for a driver, in its environment and in a file, and for notifications
// are found in nothing that is kept or shown, also when those who are sent them repeat them, refuse
// them, or are not there.
func TestSecretsStaySecret(t *testing.T) {
	good, bad, hook := "planted-"+rand.Text(), "planted-"+rand.Text(), "planted-"+rand.Text()
	hears := &receiver{status: http.StatusInternalServerError}
	s := httptest.NewServer(hears)
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(bad+"\n"), 0o600))
	t.Setenv("SLUICE_TEST_TOKEN", good)
	t.Setenv("SLUICE_TEST_HOOK", s.URL+"/"+hook)
	t.Setenv("SLUICE_TEST_HOOK_TOKEN", hook)
	d := deploy(t, 12, "--token", "${env:SLUICE_TEST_TOKEN}")
	d.worker.Kill()
	w, err := d.Worker("--listen", "127.0.0.1:0", "--log-level", "debug")
	require.NoError(t, err)
	d.worker = w

	var shown strings.Builder
	run := func(release, token string, want rollout.Phase) {
		path := d.spec(release, "2s", "notify: {webhook: \"${env:SLUICE_TEST_HOOK}\", token: \"${env:SLUICE_TEST_HOOK_TOKEN}\"}")
		d.sluice(0, "start", edit(t, path, "driver: {http: {}}", `driver: {http: {token: "`+token+`"}}`))
		if want == rollout.PhaseIncomplete { // whoever refuses the order refuses the way back, too
			d.until("a locked unit", phase(rollout.PhaseLocked, 0))
			d.sluice(0, "give-up", unit, "--why", "nothing was changed")
		}
		require.Equal(t, want, d.result().Outcome.Result)
		for _, args := range [][]string{{"status", unit}, {"explain", "--queries", unit}, {"status", "-o", "json", unit}, {"list"}} {
			ran := d.sluice(0, args...)
			shown.WriteString(ran.Stdout + ran.Stderr)
		}
	}
	run("2.0.0", "${env:SLUICE_TEST_TOKEN}", rollout.PhasePromoted)
	run("2.0.1-errors", "${env:SLUICE_TEST_TOKEN}", rollout.PhaseRolledBack)
	run("2.0.2", "file:"+file, rollout.PhaseIncomplete)
	require.Eventually(t, func() bool { bodies, _ := hears.got(); return len(bodies) > 3 }, 20*time.Second, 100*time.Millisecond)
	bodies, tokens := hears.got()
	require.Contains(t, tokens[0], hook, "the receiver is sent its token")
	require.Contains(t, strings.Join(bodies, ""), `"event":"promoted"`)

	shown.WriteString(strings.Join(bodies, ""))
	shown.Write(d.metrics())
	shown.Write(d.histories())
	for _, marker := range []string{good, bad, hook} {
		require.NotContains(t, shown.String(), marker)
		d.nowhere(marker)
	}
}

// metrics reads the worker's own page, whose address is in its log.
func (d *deployment) metrics() []byte {
	d.t.Helper()
	log, err := os.ReadFile(filepath.Join(d.Dir, "worker-2.log"))
	require.NoError(d.t, err)
	at := regexp.MustCompile(`http://127\.0\.0\.1:\d+/metrics`).Find(log)
	require.NotEmpty(d.t, at)
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, string(at), nil)
	require.NoError(d.t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	var body bytes.Buffer
	_, err = body.ReadFrom(res.Body)
	require.NoError(d.t, err)
	require.Contains(d.t, body.String(), "sluice_targets_total")
	return body.Bytes()
}

// histories are those of all workflows there are, payloads decoded.
func (d *deployment) histories() []byte {
	d.t.Helper()
	var out bytes.Buffer
	list, err := d.client.ListWorkflow(d.t.Context(), &workflowservice.ListWorkflowExecutionsRequest{})
	require.NoError(d.t, err)
	require.Greater(d.t, len(list.GetExecutions()), 3, "rollouts and notifications")
	for _, e := range list.GetExecutions() {
		it := d.client.GetWorkflowHistory(d.t.Context(), e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId(),
			false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for it.HasNext() {
			event, err := it.Next()
			require.NoError(d.t, err)
			data, err := event.Marshal()
			require.NoError(d.t, err)
			out.Write(data) // payloads are plain here, and base64 in JSON
			data, err = protojson.Marshal(event)
			require.NoError(d.t, err)
			out.Write(data)
		}
	}
	require.Contains(d.t, out.String(), "SLUICE_TEST_TOKEN", "the reference is there")
	return out.Bytes()
}

// nowhere fails if any file of the deployment holds the marker: logs, the store, the server's
// database.
func (d *deployment) nowhere(marker string) {
	d.t.Helper()
	files := 0
	require.NoError(d.t, filepath.WalkDir(d.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		require.False(d.t, bytes.Contains(data, []byte(marker)), "%s holds a secret", path)
		return nil
	}))
	require.Greater(d.t, files, 5)
}
