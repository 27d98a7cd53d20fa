package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What the agent keeps is made in its own folder, never in that for temporary files: another disk
// may be full or slow, and a crash would leave something where nobody removes it.
func TestNothingIsMadeElsewhere(t *testing.T) {
	elsewhere, long := t.TempDir(), time.Unix(1, 0)
	t.Setenv("TMPDIR", elsewhere)
	require.NoError(t, os.Chtimes(elsewhere, long, long))
	d, lock, err := openDisk(filepath.Join(t.TempDir(), "agent"), []string{"features"}, func(string) {})
	require.NoError(t, err)
	defer lock.Close()
	require.NoError(t, d.refill())
	require.NoError(t, d.saveState("features", State{Fence: 1}))
	info, err := os.Stat(elsewhere)
	require.NoError(t, err)
	require.Equal(t, long, info.ModTime(), "something was made there")
}
