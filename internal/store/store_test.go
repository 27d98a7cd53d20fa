package store_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/store"
)

func TestDirKeepsByDigest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "er")
	s, err := store.Dir(path)
	require.NoError(t, err)
	for _, data := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte{0}, 1<<20)} {
		digest, err := s.Put(t.Context(), data)
		require.NoError(t, err)
		require.Equal(t, store.Digest(data), digest)
		again, err := s.Put(t.Context(), data)
		require.NoError(t, err)
		require.Equal(t, digest, again)
		got, err := s.Get(t.Context(), digest)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
	}
	other, err := store.Dir(path) // another process sees the same
	require.NoError(t, err)
	got, err := other.Get(t.Context(), store.Digest([]byte("x")))
	require.NoError(t, err)
	require.Equal(t, "x", string(got))
}

func TestDirRefusesDamage(t *testing.T) {
	path := t.TempDir()
	s, err := store.Dir(path)
	require.NoError(t, err)
	digest, err := s.Put(t.Context(), []byte("precious"))
	require.NoError(t, err)
	file := filepath.Join(path, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))

	for name, damaged := range map[string]string{"flipped": "pRecious", "cut": "prec", "emptied": ""} {
		require.NoError(t, os.WriteFile(file, []byte(damaged), 0o600))
		data, err := s.Get(t.Context(), digest)
		require.ErrorContains(t, err, "damaged", name)
		require.NotErrorIs(t, err, store.ErrNotFound)
		require.Nil(t, data)
	}
	_, err = s.Put(t.Context(), []byte("precious")) // mends it
	require.NoError(t, err)
	data, err := s.Get(t.Context(), digest)
	require.NoError(t, err)
	require.Equal(t, "precious", string(data))
}

func TestDirRefusesOtherNames(t *testing.T) {
	path := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, "outside"), []byte("secret"), 0o600))
	s, err := store.Dir(path)
	require.NoError(t, err)
	good := store.Digest(nil)
	for _, digest := range []string{
		"", "sha256:", "outside", "sha256:../outside", "../outside", good + "0", good[:len(good)-1],
		strings.ToUpper(good), "sha512:" + good[7:], "sha256:" + strings.Repeat("../", 21) + "a",
		good[:len(good)-1] + "/", good[:len(good)-1] + "\x00", strings.Repeat("a", 1<<20),
	} {
		_, err := s.Get(t.Context(), digest)
		require.ErrorContains(t, err, "is not a digest")
		require.Less(t, len(err.Error()), 600)
	}
	_, err = s.Get(t.Context(), good)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestDirUnderConcurrentWriters(t *testing.T) {
	s, err := store.Dir(t.TempDir())
	require.NoError(t, err)
	data := bytes.Repeat([]byte("abc"), 10_000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			digest, err := s.Put(t.Context(), data)
			if err != nil {
				t.Errorf("put: %v", err)
				return
			}
			if got, err := s.Get(t.Context(), digest); err != nil || !bytes.Equal(got, data) {
				t.Errorf("get: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestDirErrors(t *testing.T) {
	_, err := store.Dir("")
	require.Error(t, err)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	s, err := store.Dir(file)
	require.NoError(t, err, "a store that is away keeps nobody from starting")
	require.ErrorContains(t, s.Check(t.Context()), "not a directory")
	_, err = s.Put(t.Context(), []byte("x"))
	require.ErrorContains(t, err, "not a directory")

	s, err = store.Dir(t.TempDir())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Put(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Get(ctx, store.Digest(nil))
	require.ErrorIs(t, err, context.Canceled)
}

// A folder that never answers, as one of a dead NFS server, holds nobody for longer than the bound,
// and piles up no goroutines. The blob is a named pipe: opening it hangs.
func TestDirThatHangs(t *testing.T) {
	path := t.TempDir()
	s, err := store.Dir(path)
	require.NoError(t, err)
	require.NoError(t, s.Check(t.Context()))
	s = s.Within(50 * time.Millisecond)
	data := []byte("precious")
	digest := store.Digest(data)
	pipe := filepath.Join(path, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	began := time.Now()
	_, err = s.Get(t.Context(), digest)
	require.ErrorIs(t, err, store.ErrHangs)
	_, err = s.Put(t.Context(), data)
	require.ErrorIs(t, err, store.ErrHangs)
	for range 5 {
		_, err = s.Get(t.Context(), digest)
		require.ErrorIs(t, err, store.ErrHangs)
	}
	require.ErrorContains(t, err, "4 operations hang already")
	require.Less(t, time.Since(began), 2*time.Second)

	w, err := os.OpenFile(pipe, os.O_RDWR, 0) // whoever waits for a writer goes on
	require.NoError(t, err)
	require.NoError(t, os.Remove(pipe))
	require.NoError(t, w.Close())
	require.Eventually(t, func() bool {
		_, err = s.Put(t.Context(), data)
		return err == nil
	}, 5*time.Second, 10*time.Millisecond)
}

// What is kept is made beside what is kept, never in the folder for temporary files, which may be
// full or slow.
func TestDirMakesNothingElsewhere(t *testing.T) {
	elsewhere, long := t.TempDir(), time.Unix(1, 0)
	t.Setenv("TMPDIR", elsewhere)
	require.NoError(t, os.Chtimes(elsewhere, long, long))
	s, err := store.Dir(t.TempDir())
	require.NoError(t, err)
	_, err = s.Put(t.Context(), []byte("data"))
	require.NoError(t, err)
	info, err := os.Stat(elsewhere)
	require.NoError(t, err)
	require.Equal(t, long, info.ModTime(), "something was made there")
}
