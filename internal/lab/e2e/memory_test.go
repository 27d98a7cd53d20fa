package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// A release whose pages grow to what a page may hold, at 60 targets at once, is judged and taken
// back by a worker of a usual size.
func TestFloodDoesNotEndTheWorker(t *testing.T) {
	d := deploy(t, 66)
	path := d.spec("2.0.0-flood-errors", "30s", "")
	edit(t, path, "count: 3", "count: 60", "every: 500ms", "every: 5s", "baseline: 2s", "baseline: 10s, sample: 60")
	pid := d.worker.PID()
	ran := d.sluice(3, "start", "--wait", "--timeout", "5m", path)
	require.Contains(t, ran.Stdout+ran.Stderr, "errors")
	d.allOn("1.0.0")
	require.Equal(t, pid, d.worker.PID())
	require.True(t, d.worker.Running())
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	peak, err := strconv.Atoi(regexp.MustCompile(`VmHWM:\s+(\d+)`).FindStringSubmatch(string(status))[1])
	require.NoError(t, err)
	t.Logf("the worker took %d MiB at most", peak>>10)
	require.Less(t, peak>>10, 300)
}
