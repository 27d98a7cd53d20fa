package data

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Place is a value in a file of a bundle, written as "features.json#/features": a path, "#", and a
// JSON pointer (RFC 6901). An empty pointer is the whole file.
type Place struct{ File, Pointer string }

// ParsePlace reads the form of String.
func ParsePlace(text string) (Place, error) {
	file, pointer, ok := strings.Cut(text, "#")
	switch {
	case !ok || file == "":
		return Place{}, fmt.Errorf("%s is not a place in a file, "+
			"expected its path, # and a JSON pointer, such as features.json#/features", strictyaml.Quote(text))
	case !IsData(file):
		return Place{}, fmt.Errorf("%s is in a file that is neither .json nor .yaml", strictyaml.Quote(text))
	case pointer != "" && pointer[0] != '/':
		return Place{}, fmt.Errorf("%s has no JSON pointer, expected / after #, such as features.json#/features; "+
			"features.json# is the whole file", strictyaml.Quote(text))
	}
	for rest := pointer; ; {
		_, after, tilde := strings.Cut(rest, "~")
		if !tilde {
			return Place{file, pointer}, nil
		}
		if after == "" || after[0] != '0' && after[0] != '1' {
			return Place{}, fmt.Errorf("%s has ~ without 0 or 1 after it: in a JSON pointer ~0 is ~, and ~1 is /", strictyaml.Quote(text))
		}
		rest = after[1:]
	}
}

// String is the form that ParsePlace reads.
func (p Place) String() string { return p.File + "#" + p.Pointer }

// At is the value at a JSON pointer; nil where there is none.
func (v *Value) At(pointer string) *Value {
	if pointer == "" {
		return v
	}
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if v = v.step(unescape.Replace(step)); v == nil {
			return nil
		}
	}
	return v
}

// Step is the value at the steps of a pointer as far as they lead.
func (v *Value) Step(steps []string) *Value {
	for _, s := range steps {
		next := v.step(s)
		if next == nil {
			return v
		}
		v = next
	}
	return v
}

func (v *Value) step(name string) *Value {
	if v.Kind == Mapping {
		return v.child(name)
	}
	i, err := strconv.Atoi(name)
	if v.Kind != List || err != nil || strconv.Itoa(i) != name || i < 0 || i >= len(v.Items) {
		return nil
	}
	return v.Items[i]
}

var (
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
)

// Pointer is the JSON pointer of some steps.
func Pointer(steps []string) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteString("/" + escape.Replace(s))
	}
	return b.String()
}
