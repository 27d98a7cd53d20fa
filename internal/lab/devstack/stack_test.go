package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// asDevstack makes the test binary behave as the program, so that a test can kill a real process.
const asDevstack = "DEVSTACK_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asDevstack) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A stack is killed in the middle and started again on the same ports and file: everything is still
// there, and a client that was connected before carries on.
func TestContinuesAfterKill(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir, "0", "0")
	c := dial(t, first.ready)
	unit := temporal.NewSearchAttributeKeyKeyword("SluiceUnit")
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID:                    "rollout:edge-proxy",
		TaskQueue:             "nobody",
		TypedSearchAttributes: temporal.NewSearchAttributes(unit.ValueSet("edge-proxy")),
	}, "Rollout")
	require.NoError(t, err)

	first.kill()

	_, port, _ := strings.Cut(first.ready.Address, ":")
	uiPort := first.ready.UI[strings.LastIndex(first.ready.UI, ":")+1:]
	second := start(t, dir, port, uiPort)
	require.Equal(t, first.ready.Address, second.ready.Address)
	require.Equal(t, first.ready.UI, second.ready.UI)
	require.NotEqual(t, first.ready.PID, second.ready.PID)

	described, err := c.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
	require.NoError(t, err)
	require.Equal(t, run.GetRunID(), described.GetWorkflowExecutionInfo().GetExecution().GetRunId())
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, described.GetWorkflowExecutionInfo().GetStatus())
	require.NoError(t, c.SignalWorkflow(t.Context(), run.GetID(), "", "pause", nil))
	requireListed(t, c, `SluiceUnit = "edge-proxy"`, run.GetID())
	require.Contains(t, get(t, second.ready.UI+"/api/v1/namespaces/default"), "SluiceOutcome")
	require.Contains(t, get(t, second.ready.UI+"/"), "<html")

	second.stop()
	require.NoFileExists(t, filepath.Join(dir, "ready.json"))
}

func TestWriteAheadLogIsOn(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, "0", "0")
	require.FileExists(t, filepath.Join(dir, "temporal.db-wal"))
	require.NoFileExists(t, filepath.Join(dir, "temporal.db.new"))
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	running := start(t, dir, "0", "0")
	_, port, _ := strings.Cut(running.ready.Address, ":")
	other := filepath.Join(t.TempDir(), "temporal.db")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no file":        {nil, "--db is missing"},
		"file in use":    {[]string{"--db", filepath.Join(dir, "temporal.db"), "--port", "0", "--ui-port", "0"}, "in use by another devstack"},
		"port in use":    {[]string{"--db", other, "--port", port, "--ui-port", "0"}, "choose another with --port, or 0"},
		"not an IP":      {[]string{"--db", other, "--ip", "localhost"}, "not an IP address"},
		"not a port":     {[]string{"--db", other, "--ui-port", "65536"}, "--ui-port 65536 is not a port"},
		"not a level":    {[]string{"--db", other, "--log-level", "loud"}, "use debug, info, warn or error"},
		"an argument":    {[]string{"--db", other, "start"}, `unexpected argument "start"`},
		"unknown flag":   {[]string{"--data", other}, "not defined"},
		"not a database": {[]string{"--db", notADatabase(t), "--port", "0", "--ui-port", "0"}, "not a database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // what is in use is waited for
			cmd := command(t.Context(), tc.args...)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			require.Equal(t, 1, exit.ExitCode())
			require.Contains(t, string(out), tc.want)
		})
	}
}

func TestStopsWithItsParent(t *testing.T) {
	ctx, cancel := withParent(t.Context(), os.Getppid()+1)
	defer cancel()
	<-ctx.Done() // at once, because that is not our parent
	require.NoError(t, t.Context().Err())
}

// A stack is one devstack process of a test.
type stack struct {
	t     *testing.T
	cmd   *exec.Cmd
	ready ready
}

func start(t *testing.T, dir, port, uiPort string) *stack {
	t.Helper()
	file := filepath.Join(dir, "ready.json")
	cmd := command(context.WithoutCancel(t.Context()), "--db", filepath.Join(dir, "temporal.db"), "--port", port,
		"--ui-port", uiPort, "--ready-file", file, "--exit-with-parent")
	cmd.Stderr = t.Output()
	began := time.Now()
	require.NoError(t, cmd.Start())
	s := &stack{t: t, cmd: cmd}
	t.Cleanup(s.kill)
	require.Eventually(t, func() bool { return s.readReady(file) }, startPatience, 10*time.Millisecond)
	t.Logf("ready after %v", time.Since(began).Round(time.Millisecond))
	require.Equal(t, cmd.Process.Pid, s.ready.PID)
	return s
}

func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asDevstack+"=1")
	return cmd
}

// readReady reads the ready file of this process; one that a killed predecessor left does not
// count.
func (s *stack) readReady(file string) bool {
	return s.ready.read(file) == nil && s.ready.PID == s.cmd.Process.Pid
}

func (s *stack) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// stop asks politely and insists on exit status 0.
func (s *stack) stop() {
	s.t.Helper()
	began := time.Now()
	require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(s.t, s.cmd.Wait())
	s.t.Logf("stopped after %v", time.Since(began).Round(time.Millisecond))
}

func dial(t *testing.T, r ready) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{HostPort: r.Address})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// requireListed waits for the visibility store, which the server fills after the fact.
func requireListed(t *testing.T, c client.Client, query, id string) {
	t.Helper()
	require.Eventually(t, func() bool {
		count, err := c.CountWorkflow(t.Context(), countRequest(query))
		return err == nil && count.GetCount() == 1
	}, 30*time.Second, 50*time.Millisecond, "%s is not listed by %s", id, query)
}

func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, errors.Join(err, response.Body.Close()))
	require.Equal(t, http.StatusOK, response.StatusCode, strconv.Quote(string(body)))
	return string(body)
}

func notADatabase(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "notes.txt")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("these are not the pages you are looking for\n", 100)), 0o600))
	return file
}
