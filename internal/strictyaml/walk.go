package strictyaml

import (
	"encoding"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/sluicehq/sluice/internal/suggest"
)

// walker fills a value from nodes and collects problems as it goes.
type walker struct {
	doc     *Document
	open    Open
	fields  map[reflect.Type][]field
	aliased int  // values repeated by aliases so far
	inAlias bool // below an alias
	stopped bool // the bound on aliases was passed: said once
}

// field is one field of a struct, as YAML names it.
type field struct {
	name  string
	index []int
	make  func() any // of an open key: makes its value
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// value fills v, which is settable, from a node.
func (w *walker) value(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.AliasNode {
		defer func(was bool) { w.inAlias = was }(w.inAlias)
		w.inAlias = true
		for n.Kind == yaml.AliasNode {
			n = n.Alias
		}
	}
	if w.refused(n, path) {
		return
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		hint := ""
		if v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct {
			hint = ", or {} for its defaults"
		}
		w.doc.report(n, path, "has no value, expected "+w.expected(v.Type())+hint)
		return
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		w.value(n, v.Elem(), path)
		return
	}
	fill, kind := w.scalar, yaml.ScalarNode
	switch isText := v.Addr().Type().Implements(textUnmarshaler); {
	case isText && (n.Kind != yaml.MappingNode || !w.hasLongForm(v.Type())):
		fill = w.text
	case v.Kind() == reflect.Struct:
		fill, kind = w.structure, yaml.MappingNode
	case v.Kind() == reflect.Map:
		fill, kind = w.mapping, yaml.MappingNode
	case v.Kind() == reflect.Slice:
		fill, kind = w.sequence, yaml.SequenceNode
	}
	if n.Kind != kind {
		w.mismatch(n, v, path)
		return
	}
	fill(n, v, path)
}

// refused reports what no value may be.
func (w *walker) refused(n *yaml.Node, path string) bool {
	if w.inAlias {
		w.aliased++
	}
	switch {
	case w.stopped:
		return true
	case w.aliased > maxAliased:
		w.stopped = true
		w.doc.report(n, path, fmt.Sprintf("aliases repeat more than %d values, expected fewer", maxAliased))
		return true
	case n.Style&yaml.TaggedStyle != 0:
		w.doc.report(n, path, "has the tag "+Quote(n.Tag)+", expected a value without a tag")
		return true
	}
	return false
}

// hasLongForm says that a type that is read from text may be a mapping, too: a struct with fields
// of its own, of which the text is a short form.
func (w *walker) hasLongForm(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && len(w.fieldsOf(t)) > 0
}

func (w *walker) text(n *yaml.Node, v reflect.Value, path string) {
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value)); err != nil {
		w.doc.report(n, path, err.Error())
	}
}

func (w *walker) scalar(n *yaml.Node, v reflect.Value, path string) {
	plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	switch {
	case v.Kind() == reflect.String:
		v.SetString(n.Value)
		return
	case v.CanInt() && plain:
		if i, err := strconv.ParseInt(n.Value, 10, v.Type().Bits()); err == nil {
			v.SetInt(i)
			return
		}
	case v.Kind() == reflect.Bool && plain && (n.Value == "true" || n.Value == "false"):
		v.SetBool(n.Value == "true")
		return
	}
	w.mismatch(n, v, path)
}

func (w *walker) sequence(n *yaml.Node, v reflect.Value, path string) {
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		if w.stopped {
			return
		}
		w.value(item, v.Index(i), Index(path, i))
	}
}

func (w *walker) mapping(n *yaml.Node, v reflect.Value, path string) {
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Content)/2))
	for key, item := range w.entries(n, path) {
		fresh := reflect.New(v.Type().Elem()).Elem()
		w.value(item, fresh, Field(path, key.Value))
		v.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), fresh)
	}
}

func (w *walker) structure(n *yaml.Node, v reflect.Value, path string) {
	known := w.fieldsOf(v.Type())
	for key, item := range w.entries(n, path) {
		at := slices.IndexFunc(known, func(f field) bool { return f.name == key.Value })
		if at < 0 {
			w.unknown(n, key, path, known)
			continue
		}
		if f, at := known[at], Field(path, key.Value); f.make != nil {
			w.opened(item, f.make(), at)
		} else {
			w.value(item, v.FieldByIndex(f.index), at)
		}
	}
}

// opened keeps the value of an open key.
func (w *walker) opened(n *yaml.Node, value any, path string) {
	w.value(n, reflect.ValueOf(value), path)
	if !w.doc.broken[path] {
		w.doc.opened[path] = value
	}
}

// unknown reports a field that the struct has not. One that was probably meant instead, and is not
// there, is not reported as missing too.
func (w *walker) unknown(n, key *yaml.Node, path string, known []field) {
	all := names(known)
	message := "unknown field " + Quote(key.Value)
	if path != "" {
		message += " in " + path
	}
	if key.Value == "<<" {
		message += ": merge keys are not supported, expected the fields written out"
	} else if best, ok := suggest.Nearest(key.Value, all); ok {
		message += ", did you mean " + Quote(best) + "?"
		if child(n, best) == nil {
			w.doc.broken[Field(path, best)] = true
		}
	} else {
		w.doc.strange[path] = true
		message += ", expected one of " + strings.Join(all, ", ")
	}
	w.doc.reportAt(key.Line, key.Column, message)
}

// entries yields the keys of a mapping with their values, and reports keys that are repeated or not
// plain text.
func (w *walker) entries(n *yaml.Node, path string) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		first := make(map[string]*yaml.Node, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || key.Style&yaml.TaggedStyle != 0 {
				w.doc.reportAt(key.Line, key.Column, within(path, "a key is not plain text, expected a name"))
				continue
			}
			if before, ok := first[key.Value]; ok {
				w.doc.reportAt(key.Line, key.Column, within(path, fmt.Sprintf(
					"duplicate key %s, which is already there at %d:%d", Quote(key.Value), before.Line, before.Column)))
				continue
			}
			first[key.Value] = key
			if w.stopped || !yield(key, n.Content[i+1]) {
				return
			}
		}
	}
}

func (w *walker) mismatch(n *yaml.Node, v reflect.Value, path string) {
	w.doc.report(n, path, "is "+found(n)+", expected "+w.expected(v.Type()))
}

// fieldsOf lists a struct's fields in their order.
func (w *walker) fieldsOf(t reflect.Type) []field {
	if known, ok := w.fields[t]; ok {
		return known
	}
	var known []field
	for f := range t.Fields() {
		name, how, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case strings.HasPrefix(how, "open="):
			for _, k := range w.open[strings.TrimPrefix(how, "open=")] {
				known = append(known, field{name: k.Name, make: k.New})
			}
		case how == "inline":
			for _, inner := range w.fieldsOf(f.Type) {
				known = append(known, field{name: inner.name, index: append(slices.Clone(f.Index), inner.index...)})
			}
		case name != "" && name != "-":
			known = append(known, field{name: name, index: f.Index})
		}
	}
	w.fields[t] = known
	return known
}

func names(fields []field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.name
	}
	return out
}

// found names what stands in the file.
func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return Quote(n.Value)
	}
}

// expected names what a type wants.
func (w *walker) expected(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(textUnmarshaler) {
		return "a " + words(t.Name())
	}
	switch t.Kind() {
	case reflect.Struct:
		known := w.fieldsOf(t)
		return "a mapping with fields such as " + strings.Join(names(known[:min(3, len(known))]), ", ")
	case reflect.Map:
		return "a mapping of names to values"
	case reflect.Slice:
		return "a list"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	default:
		return "a whole number"
	}
}

// words is the name of a type in plain words: "FleetSource" is "fleet source".
func words(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
