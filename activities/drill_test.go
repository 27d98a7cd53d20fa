package activities

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// The program runs once per target that has the release, with the order in its arguments; who fails
// is named.
func TestDrillRunsPerTarget(t *testing.T) {
	f := newFixture(t, 4)
	dir := t.TempDir()
	program := filepath.Join(dir, "fire")
	script := "#!/bin/sh\n" +
		"[ \"$1\" != t002 ] || { echo hello; echo quota panics >&2; exit 1; }\n" +
		"echo \"$2 $3\" >> " + dir + "/$1\n"
	require.NoError(t, os.WriteFile(program, []byte(script), 0o755))
	f.plan.Spec.Drill = &spec.Drill{Command: []string{program, "{{id}}", "{{release}}", "{{fence}}"}, Timeout: spec.Duration(10 * time.Second)}
	f.acts.remember(f.all.Plan, f.plan)
	out := do[[]Trouble](t, f, f.acts.Drill, DrillInput{Batch: f.all, Fence: fence, Out: []string{"t003"}})
	require.Len(t, out, 1)
	require.Equal(t, "t002", out[0].ID)
	require.Equal(t, program+" t002 2.0.0 10: exit status 1: quota panics", out[0].Reason)
	require.False(t, out[0].Silent)
	require.False(t, out[0].Refused, "the target has refused nothing")
	for _, id := range []string{"t000", "t001"} {
		said, err := os.ReadFile(filepath.Join(dir, id))
		require.NoError(t, err)
		require.Equal(t, "2.0.0 10\n", string(said))
	}
	require.NoFileExists(t, filepath.Join(dir, "t003"))
}
