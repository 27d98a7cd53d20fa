// Package data reads the JSON and YAML files of a bundle, with the places of their values, and
// counts how two of them differ. What it reads comes from anybody: it is bounded, and refuses what
// two readers could understand in two ways, such as a name that is there twice.
package data

import (
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"
)

// MaxBytes is how large a file may be that is read.
const MaxBytes = 8 << 20

// maxDepth bounds nesting.
const maxDepth = 100

// Kind says what a value is.
type Kind int

// Kinds of values.
const (
	Scalar Kind = iota
	List
	Mapping
)

// Value is one value of a file.
type Value struct {
	Kind Kind
	// Line and Column are where it begins, from 1; a column is a character.
	Line, Column int
	// Scalar is nil, a bool, a string or a json.Number, for that kind.
	Scalar any
	// Keys are those of a mapping, in the order of the file, each once.
	Keys []string
	// Items are the values of a list, or of a mapping, one for each key.
	Items []*Value
}

// IsData says whether the name of a file is that of JSON or YAML.
func IsData(file string) bool {
	return slices.Contains([]string{".json", ".yaml", ".yml"}, strings.ToLower(path.Ext(file)))
}

// Read reads a file by the end of its name. The error is a strictyaml.Problem or more, with places.
func Read(file string, content []byte) (*Value, error) {
	if strings.ToLower(path.Ext(file)) == ".json" {
		return readJSON(file, content)
	}
	return readYAML(file, content)
}

// Plain is the value as encoding/json would give it, with json.Number for numbers.
func (v *Value) Plain() any {
	switch v.Kind {
	case List:
		out := make([]any, len(v.Items))
		for i, item := range v.Items {
			out[i] = item.Plain()
		}
		return out
	case Mapping:
		out := make(map[string]any, len(v.Items))
		for i, key := range v.Keys {
			out[key] = v.Items[i].Plain()
		}
		return out
	default:
		return v.Scalar
	}
}

// Text is the value as JSON on one line, with the keys of mappings sorted, cut once it is longer
// than most bytes; 0 is no limit. It is as unsafe to show as the file.
func (v *Value) Text(most int) string {
	var b strings.Builder
	v.write(&b, most)
	if text := b.String(); most <= 0 || len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(b.String()[:most], "") + "…"
}

func (v *Value) write(b *strings.Builder, most int) {
	ends := "[]"
	switch v.Kind {
	case Scalar:
		b.WriteString(scalarText(v.Scalar))
		return
	case Mapping:
		ends = "{}"
	}
	b.WriteByte(ends[0])
	for n, i := range v.order() {
		if most > 0 && b.Len() > most {
			return
		}
		if n > 0 {
			b.WriteByte(',')
		}
		if v.Kind == Mapping {
			b.WriteString(scalarText(v.Keys[i]) + ":")
		}
		v.Items[i].write(b, most)
	}
	b.WriteByte(ends[1])
}

// order are the indices of the items, by key where there are keys.
func (v *Value) order() []int {
	out := make([]int, len(v.Items))
	for i := range out {
		out[i] = i
	}
	if v.Kind == Mapping {
		slices.SortFunc(out, func(a, b int) int { return strings.Compare(v.Keys[a], v.Keys[b]) })
	}
	return out
}

func scalarText(s any) string {
	switch s := s.(type) {
	case bool:
		return strconv.FormatBool(s)
	case json.Number:
		return s.String()
	case string:
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(s) // a text always can be
		return strings.TrimSuffix(b.String(), "\n")
	default:
		return "null"
	}
}

// child is the item of a key.
func (v *Value) child(key string) *Value {
	if i := slices.Index(v.Keys, key); v.Kind == Mapping && i >= 0 {
		return v.Items[i]
	}
	return nil
}
