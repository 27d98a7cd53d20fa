package stack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A folder may hold what an earlier run wrote: it is not taken for this fleet's.
func TestSimulateWaitsForItsOwnFleet(t *testing.T) {
	s := &Stack{Dir: t.TempDir(), bin: Binaries{Dir: t.TempDir()}}
	t.Cleanup(s.Close)
	ready := filepath.Join(s.Dir, "sim.ready")
	require.NoError(t, os.WriteFile(ready, []byte("http://old\n"), 0o600))
	script := "#!/bin/sh\necho http://new > " + ready + ".tmp\nmv " + ready + ".tmp " + ready + "\nexec sleep 600\n"
	require.NoError(t, os.WriteFile(filepath.Join(s.bin.Dir, "sluice-sim"), []byte(script), 0o700)) //nolint:gosec // it is run
	require.NoError(t, s.Simulate(t.Context(), 1, "u", "1"))
	require.Equal(t, "http://new", s.SimURL)
}

func TestFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	require.NoError(t, err)

	named, err := Folder("a/b", "run-")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(here, "a", "b"), named)
	require.DirExists(t, named)

	first, err := Folder("", "run-")
	require.NoError(t, err)
	second, err := Folder("", "run-")
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	require.Equal(t, filepath.Clean(os.TempDir()), filepath.Dir(first))
	require.Regexp(t, "^run-", filepath.Base(first))
	require.DirExists(t, first)

	require.NoError(t, os.WriteFile("file", nil, 0o600))
	_, err = Folder("file", "run-")
	require.Error(t, err)
}
