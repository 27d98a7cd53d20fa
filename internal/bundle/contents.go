package bundle

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// Contents reads the files of an archive that want asks for, by path. Each is what the table says,
// or there is an error.
func (b Bundle) Contents(archive io.Reader, want func(File) bool) (map[string][]byte, error) {
	in := tar.NewReader(io.LimitReader(archive, b.Archive.Size))
	out := map[string][]byte{}
	for _, f := range b.Files {
		h, err := in.Next()
		if err != nil {
			return nil, invalid("its archive, where %s was expected: %w", f.Path, err)
		}
		if h.Name != f.Path || h.Size != f.Size {
			return nil, invalid("its archive has %.200q, where %s was expected", h.Name, f.Path)
		}
		if !want(f) {
			continue
		}
		var content bytes.Buffer
		sum := sha256.New()
		if err := copyExactly(io.MultiWriter(&content, sum), in, f.Size); err != nil {
			return nil, invalid("%s: %w", f.Path, err)
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
			return nil, invalid("%s: its content is %s, expected %s", f.Path, got, f.SHA256)
		}
		out[f.Path] = content.Bytes()
	}
	return out, nil
}
