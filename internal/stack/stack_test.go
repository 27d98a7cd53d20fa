package stack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

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
