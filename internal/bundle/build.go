package bundle

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Problem is a place in a folder that cannot be part of a bundle. It matches ErrInvalid.
type Problem struct {
	// Path is the place, relative to the folder.
	Path    string
	Message string
}

// Error names the place first.
func (p Problem) Error() string { return p.Path + ": " + p.Message }

// Is matches ErrInvalid.
func (p Problem) Is(target error) bool { return target == ErrInvalid }

// maxProblems bounds how many problems of a folder are listed.
const maxProblems = 20

// Build reads a folder and writes its archive to w. The result depends on the paths, the contents
// and the executable bits of the files below it, and on nothing else: not on who built it, when,
// where, with which umask or in which order. Folders without files are not part of it. The error
// joins a Problem for every place that cannot be part of a bundle; then w was given nothing.
func Build(ctx context.Context, dir string, w io.Writer) (Bundle, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Bundle{}, err
	}
	defer func() { _ = root.Close() }() // nothing was written
	files, err := list(root)
	if err != nil {
		return Bundle{}, err
	}
	sum, count := sha256.New(), new(counter)
	pieces := bufio.NewWriterSize(io.MultiWriter(w, sum, count), 256<<10) // a file is several writes, and most files are small
	out := tar.NewWriter(pieces)
	b := Bundle{}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return Bundle{}, err
		}
		if f.SHA256, err = pack(out, root, f); err != nil {
			return Bundle{}, fmt.Errorf("%s: %w", f.Path, err)
		}
		b.Files = append(b.Files, f)
	}
	if err := errors.Join(out.Close(), pieces.Flush()); err != nil {
		return Bundle{}, err
	}
	b.Archive = Archive{Digest: digestPrefix + hex.EncodeToString(sum.Sum(nil)), Size: int64(*count)}
	if err := b.check(); err != nil {
		return Bundle{}, err
	}
	b.config, err = b.encode()
	return b, err
}

// list finds the files of a folder, sorted by path.
func list(root *os.Root) ([]File, error) {
	var files []File
	var problems []error
	var size int64
	names := namespace{}
	refuse := func(at, format string, args ...any) {
		problems = append(problems, Problem{at, fmt.Sprintf(format, args...)})
	}
	err := fs.WalkDir(root.FS(), ".", func(at string, d fs.DirEntry, err error) error {
		if err != nil || len(problems) >= maxProblems {
			return errors.Join(err, stop(problems))
		}
		if d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if why := unfit(info.Mode()); why != "" {
			refuse(at, "%s", why)
			return nil
		}
		if err := names.add(at); err != nil {
			refuse(at, "%s", err)
			return nil
		}
		if size += info.Size(); size > MaxBytes {
			refuse(at, "with it the files have more than %d MiB", MaxBytes>>20)
			return fs.SkipAll
		}
		if files = append(files, File{Path: at, Mode: mode(info.Mode()), Size: info.Size()}); len(files) > MaxFiles {
			refuse(at, "it is file %d, a bundle has at most %d", len(files), MaxFiles)
			return fs.SkipAll
		}
		return nil
	})
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if err == nil && len(files) == 0 {
		err = Problem{".", "there are no files"}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, err
}

func stop(problems []error) error {
	if len(problems) >= maxProblems {
		return fs.SkipAll
	}
	return nil
}

// unfit says why a file cannot be part of a bundle; empty where it can.
func unfit(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "it is a symbolic link; a bundle holds files, so put the file itself there"
	case !m.IsRegular():
		return "it is not a regular file (" + m.Type().String() + ")"
	case m&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0:
		return "its mode has setuid, setgid or sticky, which no bundle carries"
	}
	return ""
}

// mode is what a bundle keeps of a file's mode: whether its owner may run it.
func mode(m fs.FileMode) string {
	if m&0o100 != 0 {
		return ModeProgram
	}
	return ModeFile
}

// pack adds a file to an archive, and answers the SHA-256 of what it added.
func pack(out *tar.Writer, root *os.Root, f File) (string, error) {
	in, err := root.Open(f.Path)
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }() // nothing was written
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != f.Size {
		return "", errors.Join(err, errChanged)
	}
	if err := out.WriteHeader(header(f)); err != nil {
		return "", err
	}
	sum, err := copyExactly(out, in, f.Size)
	if err != nil {
		return "", err
	}
	if n, _ := in.Read(make([]byte, 1)); n > 0 {
		return "", errChanged
	}
	return sum, nil
}

var errChanged = errors.New("it changed while it was read: build again")

// header is a file's in the archive: the same for the same file on every machine.
func header(f File) *tar.Header {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: f.Path, Size: f.Size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	if f.Mode == ModeProgram {
		h.Mode = 0o755
	}
	if !ustar(f.Path) {
		h.Format = tar.FormatPAX
	}
	return h
}

// ustar says whether the plain format can hold a path: ASCII, a name of 100 bytes at most, or one
// that is split at a slash.
func ustar(p string) bool {
	if strings.ContainsFunc(p, func(r rune) bool { return r > 0x7e }) {
		return false
	}
	return len(p) <= 100 || len(path.Base(p)) <= 100 && len(path.Dir(p)) <= 155 && len(p) <= 255
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }
