package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxDepth bounds nesting: a spec needs five levels.
const maxDepth = 100

// maxAliased bounds how many values aliases may repeat in one file, so that a few lines cannot
// unfold into billions of values.
const maxAliased = 100_000

// Open has keys that are known only when the program runs, by the name in the tag of the field that
// they stand for.
type Open map[string][]Key

// Key is one of them. New makes what its value is decoded into, a pointer.
type Key struct {
	Name string
	New  func() any
}

// Decode reads one YAML document into out, a pointer to a struct, by the struct's yaml tags. Fields
// may be structs, pointers, slices, maps with string keys, strings, integers, booleans and whatever
// implements encoding.TextUnmarshaler; a string and a TextUnmarshaler get the text as it was
// written. A TextUnmarshaler that is a struct with yaml tags may be written as a mapping, too. The
// fields of a struct that is tagged ",inline" stand beside the others. In the place of a field that
// is tagged ",open=drivers" stand the keys that open has for "drivers": the field stays as it is,
// and Document.Opened has the values. Input longer than maxBytes is refused.
//
// The document answers where values stand and holds the problems found so far; out is filled as far
// as it could be understood. It is never nil.
func Decode(file string, data []byte, maxBytes int, open Open, out any) *Document {
	d := read(file, data, maxBytes)
	if d.root == nil {
		return d
	}
	w := walker{doc: d, open: open, fields: map[reflect.Type][]field{}}
	w.value(d.root, reflect.ValueOf(out).Elem(), "")
	return d
}

// Node reads one YAML document of any form as the library's nodes: for data that no Go type
// describes. Input longer than maxBytes is refused.
func Node(file string, data []byte, maxBytes int) (*yaml.Node, Problems) {
	d := read(file, data, maxBytes)
	return d.root, d.problems
}

// read parses a file; without a root it is none that could be.
func read(file string, data []byte, maxBytes int) *Document {
	d := &Document{file: file, broken: map[string]bool{}, bad: map[string]bool{}, opened: map[string]any{}, strange: map[string]bool{}}
	if len(data) > maxBytes {
		d.reportAt(0, 0, fmt.Sprintf("the file has %s, expected at most %s", size(len(data)), size(maxBytes)))
		return d
	}
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	d.text = strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\r", "\n")
	if !d.isText() || !d.parse() {
		d.root = nil
	}
	return d
}

// isText refuses what no text file holds. The separators are those that YAML counts as ends of a
// line and editors do not.
func (d *Document) isText() bool {
	for i, r := range d.text {
		what := ""
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(d.text[i:], "\uFFFD"):
			what = fmt.Sprintf("the byte 0x%02x is not valid UTF-8", d.text[i])
		case r == 0:
			what = "the file holds a NUL byte"
		case r < ' ' && r != '\t' && r != '\n', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r == 0xFEFF:
			what = fmt.Sprintf("the file holds the character %U", r)
		}
		if what != "" {
			line, column := d.place(i)
			d.reportAt(line, column, what+", expected a text file in UTF-8")
			return false
		}
	}
	return true
}

// parse reads the text into nodes.
func (d *Document) parse() bool {
	loader, err := yaml.NewLoader(strings.NewReader(d.text), yaml.WithV4Defaults(), yaml.WithPlugin(limits{}))
	if err != nil {
		d.reportAt(0, 0, err.Error())
		return false
	}
	var doc, second yaml.Node
	err = loader.Load(&doc)
	switch {
	case errors.Is(err, io.EOF):
		d.reportAt(1, 1, "the file is empty, expected a YAML document")
		return false
	case err != nil:
		d.syntax(err)
		return false
	case len(doc.Content) != 1 || doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].ShortTag() == "!!null":
		d.reportAt(1, 1, "the file is empty, expected a YAML document")
		return false
	}
	d.root = doc.Content[0]
	switch err := loader.Load(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		d.syntax(err)
	default:
		at := &second
		if len(second.Content) > 0 {
			at = second.Content[0]
		}
		d.reportAt(at.Line, at.Column, fmt.Sprintf("a second document begins here, expected one (the first begins in line %d)", d.root.Line))
	}
	return true
}

// syntax reports an error of the YAML library.
func (d *Document) syntax(err error) {
	e, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		d.reportAt(0, 0, "invalid YAML: "+err.Error())
		return
	}
	line, column := e.Mark.Line, e.Mark.Column
	if errors.Is(err, errDepth) {
		d.reportAt(line, column, errDepth.Error())
		return
	}
	message := strings.TrimPrefix(e.Message, "yaml: ")
	if message == "" {
		message = err.Error()
	}
	if tab := strings.Contains(message, "tab character") || strings.Contains(message, "cannot start any token") && d.tabAt(line, column); tab {
		d.reportAt(line, column, "a tab stands where YAML wants spaces, expected spaces only in front of a line")
		return
	}
	if e.ContextMsg != "" {
		message = e.ContextMsg + ", " + message
		if e.ContextMark.Line > 0 && e.ContextMark.Line != line {
			message += fmt.Sprintf(" (it began in line %d)", e.ContextMark.Line)
		}
	}
	d.reportAt(line, column, "invalid YAML: "+message)
}

// tabAt says that a tab is in a place of the text.
func (d *Document) tabAt(line, column int) bool {
	lines := strings.Split(d.text, "\n")
	return line >= 1 && line <= len(lines) && column >= 1 && column <= len(lines[line-1]) && lines[line-1][column-1] == '\t'
}

// limits are what the YAML library asks while it reads.
type limits struct{}

var errDepth = fmt.Errorf("values are nested more than %d deep, expected less", maxDepth)

// CheckDepth bounds nesting.
func (limits) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > maxDepth {
		return errDepth
	}
	return nil
}

// CheckAlias allows every alias: the walk over the nodes bounds what they repeat.
func (limits) CheckAlias(_, _ int) error { return nil }

// size is a number of bytes for a message.
func size(n int) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}
