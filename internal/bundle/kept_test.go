package bundle_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/require"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/memory"
	"oras.land/oras-go/v2/content/oci"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/store"
)

func kept(t testing.TB) bundle.Kept {
	s, err := store.Dir(filepath.Join(t.TempDir(), "store"))
	require.NoError(t, err)
	return bundle.Kept{Store: s}
}

// What a store keeps, another implementation of OCI layouts reads, by digest.
func TestAnotherImplementationReadsTheStore(t *testing.T) {
	k, dir := kept(t), t.TempDir()
	write(t, dir, map[string]string{"a.json": "{}", "b/run*": "x"})
	b, err := k.Build(t.Context(), dir)
	require.NoError(t, err)
	again, err := k.Build(t.Context(), dir)
	require.NoError(t, err)
	require.Equal(t, b, again)

	layout, err := oci.NewFromFS(t.Context(), os.DirFS(k.Store.Folder()))
	require.NoError(t, err)
	manifest := bundle.Digest(b.Manifest())
	copied := memory.New()
	d, err := oras.Copy(t.Context(), layout, manifest, copied, manifest, oras.DefaultCopyOptions)
	require.NoError(t, err)
	require.Equal(t, v1.MediaTypeImageManifest, d.MediaType)
	var m v1.Manifest
	require.NoError(t, json.Unmarshal(b.Manifest(), &m))
	for d, check := range map[*v1.Descriptor]func([]byte){
		&m.Config:    func(data []byte) { require.Equal(t, b.Config(), data) },
		&m.Layers[0]: func(data []byte) { require.NoError(t, b.VerifyArchive(bytes.NewReader(data))) },
	} {
		r, err := copied.Fetch(t.Context(), *d)
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		check(data)
	}
}

func TestGetAndOpen(t *testing.T) {
	k, dir := kept(t), t.TempDir()
	write(t, dir, map[string]string{"a": "1"})
	b, err := k.Build(t.Context(), dir)
	require.NoError(t, err)
	got, err := k.Get(t.Context(), b.Release())
	require.NoError(t, err)
	require.Equal(t, b, got)
	r, err := k.Open(t.Context(), got)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	require.NoError(t, got.VerifyArchive(r))

	_, err = k.Get(t.Context(), bundle.Digest([]byte("no")))
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = k.Get(t.Context(), "2.4.1")
	require.ErrorIs(t, err, bundle.ErrInvalid)
	_, err = k.Get(t.Context(), b.Archive.Digest)
	require.ErrorIs(t, err, bundle.ErrInvalid, "a blob that is no table")
}

// An archive that comes from elsewhere is kept only if it is the bundle's.
func TestAddVerifies(t *testing.T) {
	b, archive := build(t, map[string]string{"a": "1"})
	k := kept(t)
	bad := bytes.Clone(archive)
	bad[600] ^= 1
	require.ErrorIs(t, k.Add(t.Context(), b, bytes.NewReader(bad)), bundle.ErrInvalid)
	_, err := k.Get(t.Context(), b.Release())
	require.ErrorIs(t, err, store.ErrNotFound)
	files, err := os.ReadDir(filepath.Join(k.Store.Folder(), "blobs", "sha256"))
	require.NoError(t, err)
	require.Empty(t, files)
	require.NoError(t, k.Add(t.Context(), b, bytes.NewReader(archive)))
	_, err = k.Get(t.Context(), b.Release())
	require.NoError(t, err)
}

// Many who build at once lose nothing of each other in the index.
func TestIndexKeepsAll(t *testing.T) {
	k := kept(t)
	var wait sync.WaitGroup
	for i := range 20 {
		dir := t.TempDir()
		write(t, dir, map[string]string{"a": strings.Repeat("x", i)})
		wait.Go(func() { _, err := k.Build(t.Context(), dir); require.NoError(t, err) })
	}
	wait.Wait()
	var index v1.Index
	data, err := os.ReadFile(filepath.Join(k.Store.Folder(), "index.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &index))
	require.Len(t, index.Manifests, 20)
}

// What is attached to a bundle is found again by it and its type; what is damaged or of another
// form is left out.
func TestAttach(t *testing.T) {
	const note = "application/vnd.sluice.test.note"
	k, dir := kept(t), t.TempDir()
	write(t, dir, map[string]string{"a": "1"})
	b, err := k.Build(t.Context(), dir)
	require.NoError(t, err)
	write(t, dir, map[string]string{"a": "2"})
	other, err := k.Build(t.Context(), dir)
	require.NoError(t, err)
	none, err := k.Attached(t.Context(), b, note)
	require.NoError(t, err)
	require.Empty(t, none)

	one, two := bundle.Attachment{Type: note, Data: []byte("one")}, bundle.Attachment{Type: note, Data: []byte("two")}
	for _, a := range []bundle.Attachment{one, two, one, {Type: note + "2", Data: []byte("three")}} {
		require.NoError(t, k.Attach(t.Context(), b, a))
	}
	require.NoError(t, k.Attach(t.Context(), other, one))
	got, err := k.Attached(t.Context(), b, note)
	require.NoError(t, err)
	require.Equal(t, []bundle.Attachment{one, two}, got)
	require.ErrorIs(t, k.Attach(t.Context(), b, bundle.Attachment{Type: note, Data: make([]byte, bundle.MaxAttachment+1)}), bundle.ErrInvalid)

	blob := func(data []byte) string {
		return filepath.Join(k.Store.Folder(), "blobs", "sha256", strings.TrimPrefix(bundle.Digest(data), "sha256:"))
	}
	require.NoError(t, os.WriteFile(blob(one.Data), []byte("0ne"), 0o600))
	require.NoError(t, os.Remove(blob(two.Data)))
	got, err = k.Attached(t.Context(), b, note)
	require.NoError(t, err)
	require.Empty(t, got)
}

// An index that is damaged is never replaced: what is attached is listed there only.
func TestADamagedIndexIsTold(t *testing.T) {
	k, dir := kept(t), t.TempDir()
	write(t, dir, map[string]string{"a": "1"})
	b, err := k.Build(t.Context(), dir)
	require.NoError(t, err)
	note := bundle.Attachment{Type: "application/vnd.sluice.test.note", Data: []byte("one")}
	require.NoError(t, k.Attach(t.Context(), b, note))
	at := filepath.Join(k.Store.Folder(), "index.json")
	whole, err := os.ReadFile(at)
	require.NoError(t, err)
	for _, damaged := range []string{string(whole[:len(whole)/2]), "", `{"manifests": 1}`} {
		require.NoError(t, os.WriteFile(at, []byte(damaged), 0o600))
		write(t, dir, map[string]string{"a": "2"})
		_, err = k.Build(t.Context(), dir)
		require.ErrorContains(t, err, "is damaged")
		require.ErrorContains(t, err, at)
		require.ErrorContains(t, k.Attach(t.Context(), b, note), "is damaged")
		_, err = k.Attached(t.Context(), b, note.Type)
		require.ErrorContains(t, err, "is damaged")
		is, err := os.ReadFile(at)
		require.NoError(t, err)
		require.Equal(t, damaged, string(is))
		_, err = k.Get(t.Context(), b.Release())
		require.NoError(t, err, "bundles are found without it")
	}
	require.NoError(t, os.Rename(at, at+".damaged"))
	_, err = k.Build(t.Context(), dir)
	require.NoError(t, err)
}

// Another implementation finds what is attached by the bundle's manifest.
func TestAnotherImplementationFindsAttachments(t *testing.T) {
	k, dir := kept(t), t.TempDir()
	write(t, dir, map[string]string{"a": "1"})
	b, err := k.Build(t.Context(), dir)
	require.NoError(t, err)
	a := bundle.Attachment{Type: "application/vnd.sluice.test.note", Data: []byte("one")}
	require.NoError(t, k.Attach(t.Context(), b, a))
	layout, err := oci.NewFromFS(t.Context(), os.DirFS(k.Store.Folder()))
	require.NoError(t, err)
	subject, err := layout.Resolve(t.Context(), bundle.Digest(b.Manifest()))
	require.NoError(t, err)
	found, err := layout.Predecessors(t.Context(), subject)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, bundle.Digest(a.Manifest(b)), found[0].Digest.String())
}

// A bundle is built and listed in its store, never in the folder for temporary files, which may be
// full or slow.
func TestNothingIsMadeElsewhere(t *testing.T) {
	k, dir, elsewhere, long := kept(t), t.TempDir(), t.TempDir(), time.Unix(1, 0)
	write(t, dir, map[string]string{"a": "1"})
	t.Setenv("TMPDIR", elsewhere)
	require.NoError(t, os.Chtimes(elsewhere, long, long))
	_, err := k.Build(t.Context(), dir)
	require.NoError(t, err)
	info, err := os.Stat(elsewhere)
	require.NoError(t, err)
	require.Equal(t, long, info.ModTime(), "something was made there")
}
