package agent

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// A disk that is full, or read-only, is said: nothing is switched, no fence is taken, nothing
// half-written is left, and with space again all is well. What is unpacked can be gone back to all
// the same.
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

	// Not even a state fits: going back does, by what was reserved for it, and once more.
	require.NoError(t, os.Remove(ballast))
	r.must(204)(r.order(11, next.name))
	fillDisk(t, ballast)
	r.must(204)(r.order(12, good.name))
	r.whole(good)
	r.must(204)(r.order(13, next.name))
	r.whole(next)

	require.NoError(t, syscall.Mount("sluice-test", config.Folder, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=8m"))
	r.must(500)(r.order(14, good.name))
	r.whole(next)
	require.EqualValues(t, 13, r.status().Fence)
	require.NoError(t, syscall.Mount("sluice-test", config.Folder, "tmpfs", syscall.MS_REMOUNT, "size=8m"))
	require.NoError(t, os.Remove(ballast))
	r.must(204)(r.order(14, good.name))
	r.whole(good)
	require.Equal(t, "good", r.loaded())
	r.agent.lookAfter(t.Context())
	fillDisk(t, ballast)
	r.must(204)(r.order(15, next.name))
}

// A crash before each step, and what was not synced is lost with it, as when the power fails: what
// was carried out has happened, what was not is whole. The file system is told to stop without
// writing its journal (EXT4_IOC_SHUTDOWN), and to help nobody who forgot to sync.
func TestPowerFailsBeforeEveryStep(t *testing.T) {
	for name, s := range stages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, image := t.TempDir(), filepath.Join(inMemory(t), "image")
			sh := func(script string) (string, error) {
				out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-c", script, at, image).CombinedOutput()
				return string(out), err
			}
			const mount = `mount -o loop,noauto_da_alloc,data=writeback,commit=300 "$1" "$0"`
			if out, err := sh(`{ test "$(id -u)" = 0 && truncate -s 32M "$1" && mkfs.ext4 -q "$1" && ` + mount + `; } || exit 77`); err != nil {
				t.Skip("not run: needs to mount an ext4 of its own: " + out)
			}
			// A child of the consumer's may still be about to end.
			const unmount = `n=0; until umount "$0"; do n=$((n+1)); [ $n -lt 50 ] || exit 1; sleep 0.2; done; `
			defer func() { _, _ = sh(unmount) }()
			s.crash(t, at, func() {
				syscall.ForkLock.RLock() // what another test starts meanwhile would hold the folder, too
				f, err := os.Open(at)
				const shutdown, withoutJournal = 0x8004587d, 2
				how := uint32(withoutJournal)
				_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), shutdown, uintptr(unsafe.Pointer(&how))) //nolint:gosec // an ioctl
				err = errors.Join(err, f.Close())
				syscall.ForkLock.RUnlock()
				require.NoError(t, err)
				require.Zero(t, errno)
				out, err := sh(unmount + mount)
				require.NoError(t, err, out)
			})
		})
	}
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
