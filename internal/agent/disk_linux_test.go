package agent

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A disk that is full, or read-only, is said: nothing is switched, no fence is taken, nothing
// half-written is left, and with space again all is well.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	config := rigConfig(dir, nil)
	require.NoError(t, os.Mkdir(config.Folder, 0o755))
	switch err := syscall.Mount("sluice-test", config.Folder, "tmpfs", 0, "size=8m"); {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		t.Skip("not run: needs to mount a small disk")
	default:
		require.NoError(t, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(config.Folder, 0) })
	r := &rig{t: t, at: func(string) {}, config: config}
	r.start()
	t.Cleanup(func() { r.stop() })
	good, next := makeRelease(t, "good"), makeRelease(t, "next")
	r.run(10, good)
	before := r.status()

	// Its table says that it does not fit: nothing of its archive is read.
	ballast := r.dir("agent", "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 4<<20), 0o600))
	r.must(507)(r.upload(next))
	require.Equal(t, []string{hexOf(good.name)}, r.names("agent", "bundles"))
	require.NoError(t, os.Remove(ballast))

	r.must(201)(r.upload(next))
	require.NoError(t, os.WriteFile(ballast, make([]byte, 4<<20), 0o600))
	r.must(507)(r.prepare(next.name))
	r.must(507)(r.order(11, next.name))
	require.Equal(t, before, r.status())
	require.Equal(t, []string{hexOf(good.name)}, r.names("agent", "releases", unitName))

	// Not even a state fits: the order that takes it back needs nothing else, and is told so.
	require.NoError(t, os.Remove(ballast))
	r.must(204)(r.order(11, next.name))
	fillDisk(t, ballast)
	r.must(507)(r.order(12, good.name))
	r.whole(next)
	require.EqualValues(t, 11, r.status().Fence)

	require.NoError(t, syscall.Mount("sluice-test", config.Folder, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=8m"))
	r.must(500)(r.order(12, good.name))
	r.whole(next)
	require.NoError(t, syscall.Mount("sluice-test", config.Folder, "tmpfs", syscall.MS_REMOUNT, "size=8m"))
	require.NoError(t, os.Remove(ballast))
	r.must(204)(r.order(12, good.name))
	r.whole(good)
	require.Equal(t, "good", r.loaded())
}

// fillDisk leaves not a byte.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	for _, size := range []int{1 << 16, 1 << 12, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
	}
}
