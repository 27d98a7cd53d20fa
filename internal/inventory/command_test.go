package inventory_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/inventory"
	"github.com/sluicehq/sluice/internal/spec"
)

// sh is a source that runs a shell script given inline.
func sh(script string, args ...string) spec.FleetSource {
	return spec.FleetSource{Command: append([]string{"/bin/sh", "-c", script, "x"}, args...), Timeout: spec.Duration(20 * time.Second)}
}

func TestCommand(t *testing.T) {
	want := fleet.Fleet{Targets: []fleet.Target{
		{ID: "a", Address: "10.0.0.1:80", Labels: map[string]string{"region": "eu"}},
		{ID: "b", Address: "10.0.0.2:80"},
	}}
	t.Setenv("DEPLOY_TOKEN", "s3cret")
	for name, script := range map[string]string{
		"YAML":         "echo 'targets:'; echo '- {id: b, address: 10.0.0.2:80}'; echo '- {id: a, address: 10.0.0.1:80, labels: {region: eu}}'",
		"JSON":         `echo '{"targets":[{"id":"a","address":"10.0.0.1:80","labels":{"region":"eu"}},{"id":"b","address":"10.0.0.2:80"}]}'`,
		"chatter":      `echo looking >&2; echo '{"targets":[{"id":"a","address":"10.0.0.1:80","labels":{"region":"eu"}},{"id":"b","address":"10.0.0.2:80"}]}'`,
		"no secret":    `test -z "$DEPLOY_TOKEN" && test -n "$PATH" && echo '{"targets":[{"id":"a","address":"10.0.0.1:80","labels":{"region":"eu"}},{"id":"b","address":"10.0.0.2:80"}]}'`,
		"its argument": `test "$1" = '$(id); {{id}}' && echo '{"targets":[{"id":"a","address":"10.0.0.1:80","labels":{"region":"eu"}},{"id":"b","address":"10.0.0.2:80"}]}'`,
	} {
		got, err := inventory.List(t.Context(), sh(script, "$(id); {{id}}"), inventory.Deps{})
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
}

// Whatever a program does but print a whole fleet is an error, and none is taken for a smaller
// fleet. Only what may go by is tried again.
func TestCommandFails(t *testing.T) {
	const one = "echo '{\"targets\":[{\"id\":\"a\",\"address\":\"b:1\"}]}'"
	for name, tc := range map[string]struct {
		source spec.FleetSource
		want   string
		again  bool
	}{
		"no such program":   {spec.FleetSource{Command: []string{"./no-such-program"}, Timeout: spec.Duration(time.Second)}, "is it on this machine", false},
		"not in the path":   {spec.FleetSource{Command: []string{"no-such-program"}, Timeout: spec.Duration(time.Second)}, "is it on this machine", false},
		"not executable":    {spec.FleetSource{Command: []string{"./command_test.go"}, Timeout: spec.Duration(time.Second)}, "permission denied", false},
		"status":            {sh(one + "; echo the API is away >&2; exit 3"), "exit status 3: the API is away", true},
		"it says no":        {sh("echo no such cluster >&2; exit 65"), "exit status 65: no such cluster", false},
		"killed":            {sh(one + "; kill -9 $$"), "killed", true},
		"nothing":           {sh("true"), "printed nothing", false},
		"blank":             {sh("echo; echo"), "printed nothing", false},
		"an empty fleet":    {sh("echo 'targets: []'"), "the fleet is empty", false},
		"no fleet":          {sh("echo '<html>'"), "output of /bin/sh:1:1", false},
		"a duplicate":       {sh("echo 'targets: [{id: a, address: b:1}, {id: a, address: c:1}]'"), "is the id of the target at 1:16 too", false},
		"cut in the middle": {sh("printf 'targets:\\n- {id: a, address: b:1}\\n- {id: b, addr'"), "invalid YAML", false},
		"slow":              {spec.FleetSource{Command: []string{"/bin/sleep", "100"}, Timeout: spec.Duration(100 * time.Millisecond)}, "not done within 100ms", true},
		"too much":          {sh("head -c 67108865 /dev/zero"), "more than 64 MiB", false},
		"many problems":     {sh("echo 'targets: [{}, {}, {}, {}, {}]'"), "and 5 more problems", false},
	} {
		got, err := inventory.List(t.Context(), tc.source, inventory.Deps{})
		require.ErrorContains(t, err, tc.want, name)
		require.Equal(t, !tc.again, isFinal(err), "%s: %v", name, err)
		require.NotContains(t, err.Error(), "\n", name)
		require.Less(t, len(err.Error()), 10_000, name)
		require.Empty(t, got.Targets, name)
	}
	_, err := inventory.List(t.Context(), spec.FleetSource{File: "fleet.yaml"}, inventory.Deps{})
	require.Error(t, err)
}

// A program that is given up leaves none of its children behind.
func TestCommandIsKilledWithItsGroup(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := inventory.List(ctx, sh("sleep 1000 & echo $! >\"$1.new\"; mv \"$1.new\" \"$1\"; wait", pid), inventory.Deps{})
		done <- err
	}()
	require.Eventually(t, func() bool { _, err := os.Stat(pid); return err == nil }, 10*time.Second, 5*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	data, err := os.ReadFile(pid)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !lives(t, strings.TrimSpace(string(data))) }, 10*time.Second, 5*time.Millisecond)
}

// lives says whether a process is there and no zombie that waits for a parent.
func lives(t *testing.T, pid string) bool {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return false
	}
	require.NoError(t, err)
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

func isFinal(err error) bool { return errors.Is(err, inventory.ErrFinal) }
