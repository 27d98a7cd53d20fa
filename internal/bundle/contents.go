package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
)

// Read is a bundle with the contents of some of its files, by path.
type Read struct {
	Bundle   Bundle
	Contents map[string][]byte
}

// Contents reads the files of an archive that want asks for, by path. Each is what the table says,
// or there is an error.
func (b Bundle) Contents(archive io.Reader, want func(File) bool) (map[string][]byte, error) {
	out := map[string][]byte{}
	err := b.each(archive, func(f File, in io.Reader) error {
		if !want(f) {
			return nil
		}
		var content bytes.Buffer
		got, err := copyExactly(&content, in, f.Size)
		if err != nil {
			return invalid("%s: %w", f.Path, err)
		}
		if got != f.SHA256 {
			return invalid("%s: its content is %s, expected %s", f.Path, got, f.SHA256)
		}
		out[f.Path] = content.Bytes()
		return nil
	})
	return out, err
}

// each calls do with every file of an archive, in the order of the table. The paths, sizes and
// modes are the table's; do checks the contents.
func (b Bundle) each(archive io.Reader, do func(f File, in io.Reader) error) error {
	in := tar.NewReader(io.LimitReader(archive, b.Archive.Size))
	for _, f := range b.Files {
		h, err := in.Next()
		if err != nil {
			return invalid("its archive, where %s was expected: %w", f.Path, err)
		}
		if h.Typeflag != tar.TypeReg || h.Name != f.Path || h.Size != f.Size || h.Mode != header(f).Mode {
			return invalid("its archive has %.200q, where %s was expected", h.Name, f.Path)
		}
		if err := do(f, in); err != nil {
			return err
		}
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		return invalid("its archive has more than its table lists")
	}
	return nil
}
