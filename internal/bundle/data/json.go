package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// readJSON reads a file of JSON.
func readJSON(file string, content []byte) (*Value, error) {
	r := &jsonReader{file: file, content: content, line: 1, column: 1}
	if len(content) > MaxBytes {
		return nil, strictyaml.Problem{File: file, Message: fmt.Sprintf("has %d bytes, at most %d are read", len(content), MaxBytes)}
	}
	var whole json.RawMessage
	if err := json.Unmarshal(content, &whole); err != nil {
		at := len(content)
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = max(0, int(e.Offset)-1)
		}
		return nil, r.problem(at, "is not valid JSON: "+err.Error())
	}
	if !utf8.Valid(content) {
		return nil, r.problem(0, "is not UTF-8")
	}
	r.in = json.NewDecoder(bytes.NewReader(content))
	r.in.UseNumber()
	return r.value(0)
}

// jsonReader reads values with their places. The content is valid JSON.
type jsonReader struct {
	file    string
	content []byte
	in      *json.Decoder
	// line and column are those of the byte at seen.
	line, column, seen int
}

// next moves to where the next token begins.
func (r *jsonReader) next() {
	at := int(r.in.InputOffset())
	for at < len(r.content) && bytes.IndexByte([]byte(" \t\r\n,:"), r.content[at]) >= 0 {
		at++
	}
	r.move(at)
}

// move goes on to a byte that is not behind.
func (r *jsonReader) move(to int) {
	for r.seen < min(to, len(r.content)) {
		char, size := utf8.DecodeRune(r.content[r.seen:])
		r.seen += size
		if r.column++; char == '\n' {
			r.line, r.column = r.line+1, 1
		}
	}
}

// problem is one at a byte that is not behind.
func (r *jsonReader) problem(at int, message string) error {
	r.move(at)
	return r.here(message)
}

func (r *jsonReader) here(message string) error {
	return strictyaml.Problem{File: r.file, Line: r.line, Column: r.column, Message: message}
}

func (r *jsonReader) value(depth int) (*Value, error) {
	r.next()
	v := &Value{Line: r.line, Column: r.column}
	if depth > maxDepth {
		return nil, r.here(fmt.Sprintf("values are nested more than %d deep", maxDepth))
	}
	token, err := r.in.Token()
	if err != nil {
		return nil, r.here(err.Error())
	}
	switch token {
	case json.Delim('['):
		v.Kind = List
	case json.Delim('{'):
		v.Kind = Mapping
	default:
		v.Scalar = token
		if n, ok := token.(json.Number); ok && !finite(n.String()) {
			return nil, r.here("the number " + strictyaml.Quote(n.String()) + " is larger than programs can read")
		}
		return v, nil
	}
	return v, r.items(v, depth)
}

// items reads what is in a list or a mapping, with its end.
func (r *jsonReader) items(v *Value, depth int) error {
	seen := map[string]bool{}
	for r.in.More() {
		if v.Kind == Mapping {
			r.next()
			token, err := r.in.Token()
			if err != nil {
				return r.here(err.Error())
			}
			key, _ := token.(string)
			if seen[key] {
				return r.here("duplicate key " + strictyaml.Quote(key) + ": readers differ in which of them counts")
			}
			seen[key] = true
			v.Keys = append(v.Keys, key)
		}
		item, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		v.Items = append(v.Items, item)
	}
	_, err := r.in.Token()
	return err
}

// finite says whether a number has a value that programs can hold.
func finite(text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	return err == nil && !math.IsInf(f, 0)
}
