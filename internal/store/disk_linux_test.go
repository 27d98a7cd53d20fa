package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/store"
)

// A disk without space, or that has become read-only, is an error: what was kept is intact, nothing
// half-written is left, and once there is space all is well again.
func TestDirOnAFullDisk(t *testing.T) {
	disk := t.TempDir()
	switch err := syscall.Mount("sluice-test", disk, "tmpfs", 0, "size=64k"); {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		t.Skip("not run: needs to mount a small disk")
	default:
		require.NoError(t, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, 0) })
	s, err := store.Dir(disk)
	require.NoError(t, err)
	small, large := []byte("what was kept before"), make([]byte, 128<<10)
	kept, err := s.Put(t.Context(), small)
	require.NoError(t, err)

	_, err = s.Put(t.Context(), large)
	require.ErrorIs(t, err, syscall.ENOSPC)
	_, err = s.Get(t.Context(), store.Digest(large))
	require.ErrorIs(t, err, store.ErrNotFound)
	intact := func() {
		got, err := s.Get(t.Context(), kept)
		require.NoError(t, err)
		require.Equal(t, small, got)
		files, err := os.ReadDir(filepath.Join(disk, "blobs", "sha256"))
		require.NoError(t, err)
		require.Len(t, files, 1, "nothing half-written is left")
	}
	intact()

	const remount = syscall.MS_REMOUNT
	require.NoError(t, syscall.Mount("sluice-test", disk, "tmpfs", remount|syscall.MS_RDONLY, "size=64k"))
	_, err = s.Put(t.Context(), []byte("new"))
	require.ErrorIs(t, err, syscall.EROFS)
	again, err := s.Put(t.Context(), small)
	require.NoError(t, err, "it is there already")
	require.Equal(t, kept, again)
	intact()

	require.NoError(t, syscall.Mount("sluice-test", disk, "tmpfs", remount, "size=1m"))
	_, err = s.Put(t.Context(), large)
	require.NoError(t, err)
}
