// Package e2e holds tests of a whole deployment: a real Temporal server, real workers and a
// simulated fleet as processes of their own, some of them killed.
package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/rollout"
)

const unit = "edge-proxy"

// TestMain runs tests side by side also where there are few processors: a rollout mostly waits.
// Those that fill a processor, or change the environment, run alone before them.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", fmt.Sprint(max(3, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// deployment is a stack with one worker and a fleet on 1.0.0.
type deployment struct {
	*stack.Stack
	t      *testing.T
	worker *stack.Process
	client client.Client
}

// serve brings a server up, and down at the end of the test.
func serve(t *testing.T) *deployment {
	t.Helper()
	s, err := stack.Start(t.Context(), programs(t), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(s.Close)
	t.Cleanup(func() { logsOf(t, s) })
	c, err := connect.Dial(t.Context(), connect.Options{Address: s.Address})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return &deployment{Stack: s, t: t, client: c}
}

// work starts the first worker.
func (d *deployment) work() {
	d.t.Helper()
	var err error
	d.worker, err = d.Worker()
	require.NoError(d.t, err)
}

// deploy brings a deployment up, and down at the end of the test.
func deploy(t *testing.T, targets int, flags ...string) *deployment {
	t.Helper()
	d := serve(t)
	require.NoError(t, d.Simulate(t.Context(), targets, unit, "1.0.0", append([]string{"--rps-per-target", "40"}, flags...)...))
	d.work()
	return d
}

// inventory is the simulated fleet.
func (d *deployment) inventory() fleet.Fleet {
	d.t.Helper()
	f, err := d.Fleet()
	require.NoError(d.t, err)
	return f
}

// edit replaces words of a file, each of which must be there. An empty one is its end.
func edit(t *testing.T, path string, oldnew ...string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	text := string(data)
	for i := 0; i < len(oldnew); i += 2 {
		if oldnew[i] == "" {
			text += oldnew[i+1]
			continue
		}
		require.Contains(t, text, oldnew[i])
		text = strings.Replace(text, oldnew[i], oldnew[i+1], 1)
	}
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// programs are the built ones; without them the test is not run.
func programs(t *testing.T) stack.Binaries {
	t.Helper()
	bin := stack.Binaries{Dir: os.Getenv("SLUICE_BIN"), Devstack: os.Getenv("SLUICE_DEVSTACK")}
	if bin.Dir == "" || bin.Devstack == "" {
		if os.Getenv("SLUICE_REQUIRE_E2E") != "" {
			t.Fatal("SLUICE_BIN and SLUICE_DEVSTACK must name the built programs")
		}
		t.Skip("not run: needs the built programs, see `make test`")
	}
	return bin
}

// logsOf shows what the programs wrote when a test has failed.
func logsOf(t *testing.T, s *stack.Stack) {
	if !t.Failed() {
		return
	}
	files, _ := filepath.Glob(filepath.Join(s.Dir, "*.log"))
	for _, f := range files {
		data, _ := os.ReadFile(f)
		t.Logf("%s:\n%s", f, data[max(0, len(data)-4000):])
	}
}

// spec writes a spec of two stages, canary and everyone.
func (d *deployment) spec(release, bake, more string) string {
	d.t.Helper()
	path := filepath.Join(d.Dir, "spec-"+release+".yaml")
	text := fmt.Sprintf(`unit: edge-proxy
release: %q
fleet: fleet.yaml
driver: {http: {}}
%s
stages:
  - {name: canary, count: 3, bake: %s}
  - {name: everyone, reach: 100%%, bake: %s}
health:
  scrape: {baseline: 2s}
  every: 500ms
  checks:
    - name: errors
      bad: http_requests_total{code=~"5.."}
      total: http_requests_total
      max: 10%%
`, release, more, bake, bake)
	require.NoError(d.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// sluice runs the CLI and expects an exit code.
func (d *deployment) sluice(code int, args ...string) stack.Ran {
	d.t.Helper()
	ran, err := d.Sluice(d.t.Context(), args...)
	require.NoError(d.t, err)
	require.Equal(d.t, code, ran.Code, "sluice %v\n%s%s", args, ran.Stdout, ran.Stderr)
	return ran
}

// stateOf asks a rollout itself.
func stateOf(ctx context.Context, c client.Client, id string, within time.Duration) (s rollout.State, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	v, err := c.QueryWorkflow(ctx, id, "", rollout.QueryStatus)
	if err != nil {
		return s, err
	}
	return s, v.Get(&s)
}

func (d *deployment) state() (rollout.State, error) {
	return stateOf(d.t.Context(), d.client, connect.WorkflowID(unit), 2*time.Second)
}

// until waits for a state of the running rollout.
func (d *deployment) until(what string, ok func(rollout.State) bool) rollout.State {
	d.t.Helper()
	var last rollout.State
	deadline := time.Now().Add(90 * time.Second)
	for time.Now().Before(deadline) {
		if s, err := d.state(); err == nil {
			if last = s; ok(s) {
				return s
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := json.Marshal(last)
	d.t.Fatalf("never saw %s; last state: %s", what, text)
	return last
}

func phase(p rollout.Phase, stage int) func(rollout.State) bool {
	return func(s rollout.State) bool { return s.Phase == p && s.Stage == stage }
}

// result waits for the end of the rollout, with or without workers.
func (d *deployment) result() rollout.State {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 2*time.Minute)
	defer cancel()
	var s rollout.State
	require.NoError(d.t, d.client.GetWorkflow(ctx, connect.WorkflowID(unit), "").Get(ctx, &s))
	return s
}

// bareSignal sends a signal as another program would: with a payload of its own making, or without
// any.
func (d *deployment) bareSignal(name, payload string) {
	d.t.Helper()
	req := &workflowservice.SignalWorkflowExecutionRequest{
		Namespace: "default", SignalName: name,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: connect.WorkflowID(unit)},
	}
	if payload != "" {
		req.Input = &commonpb.Payloads{Payloads: []*commonpb.Payload{{
			Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(payload),
		}}}
	}
	require.Eventually(d.t, func() bool { // a rollout that continues as new refuses signals for a moment
		_, err := d.client.WorkflowService().SignalWorkflowExecution(d.t.Context(), req)
		return err == nil
	}, 30*time.Second, 100*time.Millisecond, "signal %s", name)
}

// events counts the rollout's history events by type.
func (d *deployment) events() map[enumspb.EventType]int {
	d.t.Helper()
	counts := map[enumspb.EventType]int{}
	h, err := stack.History(d.t.Context(), d.client, connect.WorkflowID(unit), "")
	require.NoError(d.t, err)
	for _, e := range h.Events {
		counts[e.GetEventType()]++
	}
	return counts
}
