package bundle_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/bundle"
)

// write puts files below a folder; a path that ends with "*" is a program.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		perm := os.FileMode(0o644)
		if cut, ok := strings.CutSuffix(name, "*"); ok {
			name, perm = cut, 0o755
		}
		at := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
		require.NoError(t, os.WriteFile(at, []byte(content), perm))
	}
}

func build(t testing.TB, files map[string]string) (bundle.Bundle, []byte) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, files)
	var archive bytes.Buffer
	b, err := bundle.Build(t.Context(), dir, &archive)
	require.NoError(t, err)
	return b, archive.Bytes()
}

// The name is pinned: another would make every release that is known a different one.
func TestNameIsPinned(t *testing.T) {
	b, archive := build(t, map[string]string{"a.json": "{}", "bin/run*": "#!/bin/sh\n", "rules/é<&>.txt": "x"})
	require.Equal(t, `{"archive":{"digest":"`+bundle.Digest(archive)+`","size":5120},"files":[`+
		`{"path":"a.json","mode":"0644","size":2,"sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},`+
		`{"path":"bin/run","mode":"0755","size":10,"sha256":"a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf"},`+
		`{"path":"rules/é<&>.txt","mode":"0644","size":1,"sha256":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}]}`,
		string(b.Config()))
	require.Equal(t, "sha256:f3a419436e2b32c2087e3a8fb9dff90a5344e1db7ccf37517dba5ca03b5094a6", b.Release())
}

// The same files have the same name whoever builds them: another umask, order, time, owner.
func TestNameDependsOnFilesOnly(t *testing.T) {
	files := map[string]string{"a": "1", "b/c": "2", "b/d*": "3"}
	first, archive := build(t, files)

	dir := t.TempDir()
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	for _, name := range []string{"b/d*", "b/c", "a"} {
		write(t, dir, map[string]string{name: files[name]})
	}
	require.NoError(t, os.Chmod(filepath.Join(dir, "a"), 0o620))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "empty"), 0o700))
	require.NoError(t, os.Chtimes(filepath.Join(dir, "a"), statOf(t, dir).ModTime().AddDate(-9, 0, 0), statOf(t, dir).ModTime()))
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(filepath.Join(dir, "a"), 1234, 1234))
	}
	var again bytes.Buffer
	second, err := bundle.Build(t.Context(), dir, &again)
	require.NoError(t, err)
	require.Equal(t, first.Release(), second.Release())
	require.Equal(t, archive, again.Bytes())

	other, _ := build(t, map[string]string{"a": "1", "b/c*": "2", "b/d*": "3"})
	require.NotEqual(t, first.Release(), other.Release(), "an executable bit is part of it")
}

func statOf(t testing.TB, path string) os.FileInfo {
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info
}

func TestRefusedFolders(t *testing.T) {
	for name, c := range map[string]struct {
		make  func(dir string) error
		place string
	}{
		"link":        {func(d string) error { return os.Symlink("/etc/passwd", filepath.Join(d, "out")) }, "out: it is a symbolic link"},
		"link to own": {func(d string) error { return os.Symlink("fine", filepath.Join(d, "own")) }, "own: it is a symbolic link"},
		"link folder": {func(d string) error { return os.Symlink("/etc", filepath.Join(d, "etc")) }, "etc: it is a symbolic link"},
		"fifo":        {func(d string) error { return syscall.Mkfifo(filepath.Join(d, "pipe"), 0o644) }, "pipe: it is not a regular file"},
		"setuid": {func(d string) error {
			at := filepath.Join(d, "su")
			return errJoin(os.WriteFile(at, nil, 0o755), os.Chmod(at, 0o755|os.ModeSetuid))
		}, "su: its mode has setuid"},
		"case": {func(d string) error { return os.WriteFile(filepath.Join(d, "FINE"), nil, 0o644) }, "are one name on a machine"},
		"folder case": {func(d string) error {
			return errJoin(os.Mkdir(filepath.Join(d, "X"), 0o755), os.WriteFile(filepath.Join(d, "X/1"), nil, 0o644),
				os.Mkdir(filepath.Join(d, "x"), 0o755), os.WriteFile(filepath.Join(d, "x/2"), nil, 0o644))
		}, "are one name on a machine"},
		"spelling": {func(d string) error {
			return errJoin(os.WriteFile(filepath.Join(d, "é"), nil, 0o644), os.WriteFile(filepath.Join(d, "e\u0301"), nil, 0o644))
		}, "are one name on a machine"},
		"no UTF-8":  {func(d string) error { return os.WriteFile(filepath.Join(d, "\xff"), nil, 0o644) }, "not the same on every machine"},
		"backslash": {func(d string) error { return os.WriteFile(filepath.Join(d, `a\b`), nil, 0o644) }, "not the same on every machine"},
		"long name": {func(d string) error { return os.WriteFile(filepath.Join(d, strings.Repeat("n", 201)), nil, 0o644) }, "at most 200"},
		"too large": {func(d string) error {
			at := filepath.Join(d, "zz")
			return errJoin(os.WriteFile(at, nil, 0o644), os.Truncate(at, bundle.MaxBytes+1))
		}, "zz: with it the files have more than 256 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{"fine": "1"})
			require.NoError(t, c.make(dir))
			var out bytes.Buffer
			_, err := bundle.Build(t.Context(), dir, &out)
			require.ErrorIs(t, err, bundle.ErrInvalid)
			require.ErrorContains(t, err, c.place)
			require.Zero(t, out.Len())
		})
	}
	_, err := bundle.Build(t.Context(), t.TempDir(), io.Discard)
	require.ErrorContains(t, err, "there are no files")
}

func errJoin(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// unpack unpacks into a new folder.
func unpack(t testing.TB, b bundle.Bundle, archive []byte) (string, error) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, root.Close()) }()
	return dir, b.Unpack(root, bytes.NewReader(archive))
}

// What is built comes out again, and has the same name.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		files := rapid.MapOfN(rapid.StringMatching(`([a-z0-9]{1,3}/){0,3}[a-z0-9é]{1,120}\.x\*?`), rapid.StringN(0, 2000, -1), 1, 20).Draw(r, "files")
		dir := t.TempDir()
		write(t, dir, files)
		var archive bytes.Buffer
		b, err := bundle.Build(t.Context(), dir, &archive)
		if err != nil { // "a" and "a*" are one file
			r.Fatal(err)
		}
		again, err := bundle.Parse(b.Config(), b.Release())
		require.NoError(r, err)
		require.NoError(r, again.VerifyArchive(bytes.NewReader(archive.Bytes())))
		out, err := unpack(t, again, archive.Bytes())
		require.NoError(r, err)
		third, err := bundle.Build(t.Context(), out, io.Discard)
		require.NoError(r, err)
		require.Equal(r, b.Release(), third.Release())
	})
}

// One byte that differs is refused, wherever it is.
func TestFlippedByte(t *testing.T) {
	b, archive := build(t, map[string]string{"a": "1234", "b/c*": "5678"})
	for i := range archive {
		bad := bytes.Clone(archive)
		bad[i] ^= 0x40
		require.ErrorIs(t, b.VerifyArchive(bytes.NewReader(bad)), bundle.ErrInvalid, "byte %d", i)
	}
	require.ErrorIs(t, b.VerifyArchive(bytes.NewReader(archive[:len(archive)-1])), bundle.ErrInvalid)
	require.ErrorIs(t, b.VerifyArchive(bytes.NewReader(append(bytes.Clone(archive), 0))), bundle.ErrInvalid)
	config := b.Config()
	for i := range config {
		bad := bytes.Clone(config)
		bad[i] ^= 0x01
		_, err := bundle.Parse(bad, b.Release())
		require.ErrorIs(t, err, bundle.ErrInvalid)
	}
}

func TestRefusedTables(t *testing.T) {
	b, _ := build(t, map[string]string{"a": "1", "b": "2"})
	good := string(b.Config())
	for name, c := range map[string][2]string{
		"parent":    {`"path":"a"`, `"path":"../a"`},
		"absolute":  {`"path":"a"`, `"path":"/a"`},
		"unclean":   {`"path":"a"`, `"path":"a/./a"`},
		"empty":     {`"path":"a"`, `"path":""`},
		"twice":     {`"path":"a"`, `"path":"b"`},
		"unsorted":  {`"path":"a"`, `"path":"c"`},
		"case":      {`"path":"a"`, `"path":"B"`},
		"in a file": {`"path":"b"`, `"path":"a/b"`},
		"setuid":    {`"mode":"0644"`, `"mode":"4755"`},
		"negative":  {`"size":1`, `"size":-1`},
		"bomb":      {`"size":1`, `"size":99999999999`},
		"unknown":   {`"files"`, `"more":1,"files"`},
		"spaces":    {`"files":`, `"files": `},
		"no digest": {`"digest":"sha256:`, `"digest":"md5:`},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, good, c[0])
			_, err := bundle.Parse([]byte(strings.Replace(good, c[0], c[1], 1)), "")
			require.ErrorIs(t, err, bundle.ErrInvalid)
			t.Log(err)
		})
	}
}

func TestDrift(t *testing.T) {
	b, archive := build(t, map[string]string{"a": "1234", "b/c*": "5678"})
	for name, c := range map[string]struct {
		change func(dir string) error
		want   string
	}{
		"none":    {func(string) error { return nil }, ""},
		"content": {func(d string) error { return os.WriteFile(filepath.Join(d, "a"), []byte("4321"), 0o644) }, "a: its content is not the release's"},
		"size":    {func(d string) error { return os.WriteFile(filepath.Join(d, "a"), []byte("4"), 0o644) }, "a: it has 1 bytes, expected 4"},
		"missing": {func(d string) error { return os.Remove(filepath.Join(d, "a")) }, "a: it is missing"},
		"mode":    {func(d string) error { return os.Chmod(filepath.Join(d, "b/c"), 0o644) }, "b/c: its mode is 0644, expected 0755"},
		"more":    {func(d string) error { return os.WriteFile(filepath.Join(d, "more"), nil, 0o644) }, "more: it is not part of the release"},
		"link": {func(d string) error {
			return errJoin(os.Remove(filepath.Join(d, "a")), os.Symlink("/etc/passwd", filepath.Join(d, "a")))
		}, "a: it is a symbolic link"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := unpack(t, b, archive)
			require.NoError(t, err)
			require.NoError(t, c.change(dir))
			root, err := os.OpenRoot(dir)
			require.NoError(t, err)
			defer func() { require.NoError(t, root.Close()) }()
			if err := b.Drift(root); c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
			}
		})
	}
}

// Whatever an archive or a table holds, nothing is written outside, and what was unpacked is what
// the table says.
func FuzzUnpack(f *testing.F) {
	b, archive := build(f, map[string]string{"a": "1", "b/c*": "2"})
	f.Add(b.Config(), archive)
	f.Fuzz(func(t *testing.T, config, archive []byte) {
		b, err := bundle.Parse(config, "")
		if err != nil {
			require.ErrorIs(t, err, bundle.ErrInvalid)
			return
		}
		outer := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(outer, "in"), 0o755))
		root, err := os.OpenRoot(filepath.Join(outer, "in"))
		require.NoError(t, err)
		defer func() { require.NoError(t, root.Close()) }()
		if err := b.Unpack(root, bytes.NewReader(archive)); err == nil {
			require.NoError(t, b.Drift(root))
		}
		entries, err := os.ReadDir(outer)
		require.NoError(t, err)
		require.Len(t, entries, 1)
	})
}
