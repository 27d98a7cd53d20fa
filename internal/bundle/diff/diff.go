// Package diff says how the files of two bundles differ: values of JSON and YAML files, lines of
// other texts, sizes and digests of what is neither.
package diff

import (
	"bytes"
	"unicode/utf8"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/data"
)

// Kinds of a difference.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
	// Mode is of a file whose content is the same.
	Mode = "mode changed"
)

// Forms in which a changed file is compared.
const (
	Values = "values"
	Lines  = "lines"
	Bytes  = "bytes"
)

// File is how one file differs.
type File struct {
	Path string `json:"path"`
	Kind string `json:"kind"`
	// Form says what the counts are of, in a changed file.
	Form string `json:"form,omitempty"`
	// Added, Removed and Changed count values or lines.
	Added   int `json:"added"`
	Removed int `json:"removed"`
	Changed int `json:"changed"`
	// Old and New are the file's rows in the tables.
	Old *Row `json:"old,omitempty"`
	New *Row `json:"new,omitempty"`

	// lines are the first lines that show it, not safe to show yet, and more how many there are
	// besides.
	lines []string
	more  int
}

// Row is what a table says of a file.
type Row struct {
	Mode   string `json:"mode"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Compared is whether the contents of a file are needed for Files: it is in both bundles, not the
// same, and not too large.
func Compared(old, new bundle.Bundle) func(bundle.File) bool {
	was, is := old.ByPath(), new.ByPath()
	return func(f bundle.File) bool {
		a, b := was[f.Path], is[f.Path]
		return a.Path == b.Path && a.SHA256 != b.SHA256 && max(a.Size, b.Size) <= maxCompared
	}
}

// maxCompared is how large a file may be that is compared by its content.
const maxCompared = 4 << 20

// Files are those that differ, sorted by path, of bundles with the contents that Compared asks for.
// At most most lines of each are kept for Text.
func Files(old, new bundle.Read, most int) []File {
	var out []File
	a, b := old.Bundle.Files, new.Bundle.Files // sorted, too
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Path < b[0].Path:
			out = append(out, File{Path: a[0].Path, Kind: Removed, Old: row(a[0])})
			a = a[1:]
			continue
		case len(a) == 0 || b[0].Path < a[0].Path:
			out = append(out, File{Path: b[0].Path, Kind: Added, New: row(b[0])})
			b = b[1:]
			continue
		case a[0].SHA256 != b[0].SHA256:
			f := compare(b[0].Path, old.Contents[b[0].Path], new.Contents[b[0].Path], most)
			f.Old, f.New = row(a[0]), row(b[0])
			out = append(out, f)
		case a[0].Mode != b[0].Mode:
			out = append(out, File{Path: b[0].Path, Kind: Mode, Old: row(a[0]), New: row(b[0])})
		}
		a, b = a[1:], b[1:]
	}
	return out
}

// compare compares two contents; nil is one that was not read.
func compare(path string, old, new []byte, most int) File {
	f := File{Path: path, Kind: Changed, Form: Bytes}
	if old == nil || new == nil || !isText(old) || !isText(new) {
		return f
	}
	if data.IsData(path) {
		a, errA := data.Read(path, old)
		b, errB := data.Read(path, new)
		if errA == nil && errB == nil {
			if f.values(data.Changes(a, b), most); f.Form == Values {
				return f
			}
		}
	}
	f.texts(string(old), string(new), most)
	return f
}

func isText(content []byte) bool {
	return utf8.Valid(content) && bytes.IndexByte(content, 0) < 0
}

func row(f bundle.File) *Row { return &Row{f.Mode, f.Size, f.SHA256} }

// keep adds a line that shows the difference.
func (f *File) keep(line string, most int) {
	if len(f.lines) < most {
		f.lines = append(f.lines, line)
	} else {
		f.more++
	}
}
