package bundle

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// checkPath refuses a path that is not one below the bundle on every machine.
func checkPath(p string) error {
	switch {
	case p == "" || p == "." || path.IsAbs(p) || path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../"):
		return fmt.Errorf("%q is not a clean relative path", p)
	case !utf8.ValidString(p) || strings.ContainsFunc(p, differs):
		return fmt.Errorf("%q holds a character that is not the same on every machine: no control characters, no backslash, UTF-8 only", p)
	case len(p) > maxPath:
		return fmt.Errorf("%.60q… has %d bytes, a path has at most %d", p, len(p), maxPath)
	}
	for name := range strings.SplitSeq(p, "/") {
		if len(name) > maxName {
			return fmt.Errorf("%.60q… has %d bytes, a name has at most %d", name, len(name), maxName)
		}
	}
	return nil
}

// differs says whether a character of a path is not the same on every machine.
func differs(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError || r == '\\' }

// namespace is what paths take on a machine that does not tell capitals from small letters, nor one
// spelling of "é" from the other. It maps each place to the path, or the folder, that has it.
type namespace map[string]taken

type taken struct {
	path   string
	folder bool
}

// add takes the place of a file, and those of the folders above it.
func (n namespace) add(file string) error {
	if err := checkPath(file); err != nil {
		return err
	}
	for at, folder := file, false; at != "."; at, folder = path.Dir(at), true {
		key := cases.Fold().String(norm.NFC.String(at))
		was, ok := n[key]
		switch {
		case !ok:
			n[key] = taken{at, folder}
		case was.path != at:
			return fmt.Errorf("%q and %q are one name on a machine that does not tell capitals from small letters", was.path, at)
		case !folder || !was.folder:
			return fmt.Errorf("%q is there twice", at)
		}
	}
	return nil
}
