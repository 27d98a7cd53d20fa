package strictyaml

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Document is a file that was decoded: it knows what is wrong with it and where its values stand.
// It is not safe for concurrent use while problems are added.
//
// A path names a value: "stages[2].bake", `labels["a.b"]`; "" is the whole file.
type Document struct {
	file     string
	text     string
	root     *yaml.Node
	problems Problems
	broken   map[string]bool // paths whose values could not be understood
	bad      map[string]bool // paths with a problem that was added later
	opened   map[string]any  // values of open keys, by path
	strange  map[string]bool // paths of what has a field that is like none that is known
}

// Opened is the value at a path that ends with an open key, of the type that the key has; nil where
// the file has none, or none that could be understood.
func (d *Document) Opened(path string) any { return d.opened[path] }

// Problems is what is wrong so far, unsorted; see Problems.Err.
func (d *Document) Problems() Problems { return d.problems }

// Readable says whether the file could be parsed at all. If not, nothing was decoded, and looking
// for further problems makes no sense.
func (d *Document) Readable() bool { return d.root != nil }

// Add records a problem with the value at path; the message goes after the path. It does nothing if
// the value, or one that it is part of, could not be understood: one mistake is reported once.
func (d *Document) Add(path, message string) {
	d.add(path, d.Problem(path, message))
}

// AddInside is Add for one place inside a text value, offset bytes from its beginning.
func (d *Document) AddInside(path string, offset int, message string) {
	p := d.Problem(path, message)
	p.Line, p.Column = d.Inside(path, offset)
	d.add(path, p)
}

func (d *Document) add(path string, p Problem) {
	if !d.isBroken(path) {
		d.bad[path] = true
		d.problems = append(d.problems, p)
	}
}

// Bad says whether a problem was recorded for the path itself, or for decoding one that it is part
// of.
func (d *Document) Bad(path string) bool { return d.bad[path] || d.isBroken(path) }

func (d *Document) isBroken(path string) bool {
	if d.broken[path] || d.broken[""] {
		return true
	}
	for i := len(path) - 1; i > 0; i-- {
		if (path[i] == '.' || path[i] == '[') && d.broken[path[:i]] {
			return true
		}
	}
	return false
}

// Problem makes a problem with the value at path, without recording it.
func (d *Document) Problem(path, message string) Problem {
	line, column := d.Position(path)
	return Problem{File: d.file, Line: line, Column: column, Message: tidy(within(path, message))}
}

// Position is where the value at path stands; if there is none, where the nearest value stands that
// would hold it: for a mapping its first key.
func (d *Document) Position(path string) (line, column int) {
	n, _ := d.find(path)
	return place(n)
}

// Strange says whether what is at path has a field that is like none that is known: it may stand
// for any that seems to be missing.
func (d *Document) Strange(path string) bool { return d.strange[path] }

// Has says whether the file has a value at path.
func (d *Document) Has(path string) bool {
	_, whole := d.find(path)
	return whole
}

// find walks a path as far as it goes, and says whether that is the whole of it.
func (d *Document) find(path string) (at *yaml.Node, whole bool) {
	at = d.root
	for _, s := range steps(path) {
		next := child(at, s)
		if next == nil {
			return at, false
		}
		at = next
	}
	return at, at != nil
}

func place(n *yaml.Node) (line, column int) {
	if n == nil {
		return 1, 1
	}
	return n.Line, n.Column
}

// child is the value at one step of a path; nil where there is none.
func child(n *yaml.Node, s string) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n == nil:
	case n.Kind == yaml.SequenceNode:
		if i, err := strconv.Atoi(s); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i]
		}
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Kind == yaml.ScalarNode && n.Content[i].Value == s {
				return n.Content[i+1]
			}
		}
	}
	return nil
}

// Field is the path of a field of a mapping.
func Field(path, name string) string {
	plain := name != "" && strings.IndexFunc(name, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0
	switch {
	case !plain:
		return path + "[" + strconv.Quote(name) + "]"
	case path == "":
		return name
	default:
		return path + "." + name
	}
}

// Index is the path of an item of a list.
func Index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// steps takes a path apart. What it cannot read ends it.
func steps(path string) []string {
	var out []string
	for path != "" {
		switch path[0] {
		case '.':
			path = path[1:]
		case '[':
			if quoted, err := strconv.QuotedPrefix(path[1:]); err == nil {
				name, _ := strconv.Unquote(quoted)
				out = append(out, name)
				path = strings.TrimPrefix(path[1+len(quoted):], "]")
				continue
			}
			number, rest, _ := strings.Cut(path[1:], "]")
			out = append(out, number)
			path = rest
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			out = append(out, path[:end])
			path = path[end:]
		}
	}
	return out
}

// within puts a path before a message.
func within(path, message string) string {
	if path == "" {
		return message
	}
	return path + ": " + message
}

// report records a problem of decoding at a value.
func (d *Document) report(n *yaml.Node, path, message string) {
	d.broken[path] = true
	d.reportAt(n.Line, n.Column, within(path, message))
}

// reportAt records a problem at a place of the file; line 0 is the file as a whole.
func (d *Document) reportAt(line, column int, message string) {
	d.problems = append(d.problems, Problem{File: d.file, Line: line, Column: column, Message: tidy(message)})
}
