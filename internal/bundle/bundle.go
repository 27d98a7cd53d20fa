// Package bundle makes a folder of files a release: one name for the same files on every machine,
// an archive that carries them, and the checks without which nothing is unpacked.
//
// A bundle has two parts. Its config is a table of its files, as canonical JSON; the SHA-256 of
// those bytes is the name of the release. Its archive is an uncompressed tar of the same files in
// the same order, which the table names by digest. So whoever knows the name needs to trust nobody:
// the table must have that name, the archive the digest in the table, and each file its own.
package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Media types of the parts of a bundle, as an OCI artifact has them.
const (
	MediaType        = "application/vnd.sluice.bundle.v1"
	MediaTypeConfig  = "application/vnd.sluice.bundle.config.v1+json"
	MediaTypeArchive = "application/vnd.sluice.bundle.content.v1.tar"
)

// Limits of a bundle: a configuration is far below.
const (
	// MaxFiles is how many files one has.
	MaxFiles = 20_000
	// MaxBytes is how large its archive is.
	MaxBytes = 256 << 20
	// MaxConfig is how large its config is.
	MaxConfig = 8 << 20
	// maxPath is how long a path is, and maxName one name in it, in bytes.
	maxPath, maxName = 1024, 200
)

// Modes of a file. What else a file's mode says is its machine's business, like its owner.
const (
	ModeFile    = "0644"
	ModeProgram = "0755"
)

// Bundle is the table of the files of a release. The zero value is not valid: use Build or Parse.
type Bundle struct {
	// Archive is the tar that carries the files.
	Archive Archive `json:"archive"`
	// Files are sorted by path, byte by byte.
	Files []File `json:"files"`

	config []byte
}

// Archive names a tar by its content.
type Archive struct {
	// Digest is "sha256:" and 64 hex digits.
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// File is one regular file.
type File struct {
	// Path is relative and clean, with slashes: "rules/eu.json".
	Path string `json:"path"`
	// Mode is ModeFile or ModeProgram.
	Mode string `json:"mode"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// SHA256 is of the content, 64 hex digits.
	SHA256 string `json:"sha256"`
}

// Config is the canonical table, whose digest is the release's name.
func (b Bundle) Config() []byte { return bytes.Clone(b.config) }

// Release is the name of the release: "sha256:" and 64 hex digits.
func (b Bundle) Release() string { return Digest(b.config) }

// Size is how many bytes the files have together.
func (b Bundle) Size() int64 {
	var n int64
	for _, f := range b.Files {
		n += f.Size
	}
	return n
}

// ByPath are the files by their paths.
func (b Bundle) ByPath() map[string]File {
	out := make(map[string]File, len(b.Files))
	for _, f := range b.Files {
		out[f.Path] = f
	}
	return out
}

// Digest is the name of data: "sha256:" and 64 hex digits.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return digestPrefix + hex.EncodeToString(sum[:])
}

const digestPrefix = "sha256:"

// IsRelease says whether a release is a bundle's name.
func IsRelease(release string) bool {
	sum, ok := strings.CutPrefix(release, digestPrefix)
	return ok && isSum(sum)
}

var names = regexp.MustCompile(`(sha256:[0-9a-f]{12})[0-9a-f]{52}`)

// Short is a text in which the names of bundles are cut to twelve digits: nobody compares more.
func Short(text string) string { return names.ReplaceAllString(text, "$1") }

func isSum(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}

// ErrInvalid is matched by every error that says that something is no bundle, or not the one that
// was asked for. Trying again does not mend it.
var ErrInvalid = errors.New("not a valid bundle")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// Parse reads a config, and refuses one that is not canonical, or is not the release's: an empty
// release takes any.
func Parse(config []byte, release string) (Bundle, error) {
	if got := Digest(config); release != "" && got != release {
		return Bundle{}, invalid("expected the table of %s, got that of %s", release, got)
	}
	if len(config) > MaxConfig {
		return Bundle{}, invalid("its table has %d bytes, at most %d", len(config), MaxConfig)
	}
	var b Bundle
	in := json.NewDecoder(bytes.NewReader(config))
	in.DisallowUnknownFields()
	if err := in.Decode(&b); err != nil {
		return Bundle{}, invalid("its table: %w", err)
	}
	if err := b.check(); err != nil {
		return Bundle{}, err
	}
	canonical, err := b.encode()
	if err != nil || !bytes.Equal(canonical, config) {
		return Bundle{}, invalid("its table is not in canonical form")
	}
	b.config = canonical
	return b, nil
}

// encode is the canonical form: one line of JSON, in the order of the types' fields, without
// spaces, with "<", ">" and "&" as they are, and no line end.
func (b Bundle) encode() ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(b); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// check refuses a table that must not be unpacked.
func (b Bundle) check() error {
	if sum, ok := strings.CutPrefix(b.Archive.Digest, digestPrefix); !ok || !isSum(sum) {
		return invalid("its archive %.100q is not named by a digest", b.Archive.Digest)
	}
	if b.Archive.Size < 0 || b.Archive.Size > MaxBytes {
		return invalid("its archive has %d bytes, at most %d", b.Archive.Size, MaxBytes)
	}
	if len(b.Files) == 0 {
		return invalid("it has no files")
	}
	if len(b.Files) > MaxFiles {
		return invalid("it has %d files, at most %d", len(b.Files), MaxFiles)
	}
	left := b.Archive.Size
	names := namespace{}
	for i, f := range b.Files {
		switch {
		case i > 0 && b.Files[i-1].Path >= f.Path:
			return invalid("its files are not sorted, at %q", f.Path)
		case f.Mode != ModeFile && f.Mode != ModeProgram:
			return invalid("%s: the mode is %.20q, expected %s or %s", f.Path, f.Mode, ModeFile, ModeProgram)
		case f.Size < 0 || f.Size > left:
			return invalid("%s: a size of %d bytes does not fit into its archive", f.Path, f.Size)
		case !isSum(f.SHA256):
			return invalid("%s: %.100q is not a SHA-256 in hex", f.Path, f.SHA256)
		}
		left -= f.Size
		if err := names.add(f.Path); err != nil {
			return invalid("%w", err)
		}
	}
	return nil
}

// copyExactly copies as many bytes as expected, refuses fewer, and answers the SHA-256 of them;
// more is left unread.
func copyExactly(w io.Writer, r io.Reader, n int64) (string, error) {
	sum := sha256.New()
	got, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(r, n))
	if err == nil && got < n {
		err = fmt.Errorf("it ends after %d of %d bytes: %w", got, n, io.ErrUnexpectedEOF)
	}
	return hex.EncodeToString(sum.Sum(nil)), err
}
