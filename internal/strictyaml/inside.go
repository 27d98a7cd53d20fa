package strictyaml

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Inside is the place in the file of the byte at offset of the text at path, whichever way YAML
// writes that text: plain, quoted, or as a block. Where folding makes it ambiguous it is right to
// within the white space.
func (d *Document) Inside(path string, offset int) (line, column int) {
	n, _ := d.find(path)
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n == nil || n.Kind != yaml.ScalarNode {
		return place(n)
	}
	s := source{text: d.text, pos: d.offset(n.Line, n.Column)}
	s.enter(n.Style, n.Value)
	for i := 0; i < min(offset, len(n.Value)); {
		r, width := utf8.DecodeRuneInString(n.Value[i:])
		s.consume(r)
		i += width
	}
	s.skipEscapedEnds()
	return d.place(s.pos)
}

// source follows a text value through the file, character by character.
type source struct {
	text   string
	pos    int
	block  bool
	double bool
	single bool
	indent int // of a block, in spaces
}

// enter moves from the start of the node to the first character of its value.
func (s *source) enter(style yaml.Style, value string) {
	s.block = style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	s.double = style&yaml.DoubleQuotedStyle != 0
	s.single = style&yaml.SingleQuotedStyle != 0
	for s.pos < len(s.text) && (s.text[s.pos] == '&' || s.text[s.pos] == '!') { // an anchor or a tag comes first
		s.pos += len(s.text[s.pos:]) - len(strings.TrimLeft(s.text[s.pos:], "&!"))
		s.skipTo(" \t\n")
		s.skipSpace()
	}
	switch {
	case s.double || s.single:
		s.pos++
	case s.block:
		s.skipTo("\n")
		s.pos = min(s.pos+1, len(s.text))
		s.indent = max(0, firstIndent(s.text[s.pos:])-firstIndent(value))
		s.skipIndent()
	}
}

// firstIndent is how far the first line with text is indented.
func firstIndent(text string) int {
	for line := range strings.Lines(text) {
		if trimmed := strings.TrimLeft(line, " "); trimmed != "" && trimmed != "\n" {
			return len(line) - len(trimmed)
		}
	}
	return 0
}

// consume moves past the next character of the value.
func (s *source) consume(want rune) {
	s.skipEscapedEnds()
	for s.block && !isSpace(want) && strings.HasPrefix(s.text[s.pos:], "\n") { // a folded empty line
		s.pos++
		s.skipIndent()
	}
	if s.pos >= len(s.text) {
		return
	}
	got, width := utf8.DecodeRuneInString(s.text[s.pos:])
	switch {
	case s.double && got == '\\':
		s.pos += min(escapeLength(s.text[s.pos:]), len(s.text)-s.pos)
	case s.single && got == '\'':
		s.pos += min(2, len(s.text)-s.pos)
	case s.block && got == '\n':
		s.pos++
		s.skipIndent()
	case s.foldsHere() && !s.block:
		if isSpace(want) {
			s.skipSpace()
		}
	case isSpace(want) && !isSpace(got): // several ends of lines, passed at once
	default:
		s.pos += width
	}
}

// skipEscapedEnds moves past what stands for nothing in the value: an escaped end of line.
func (s *source) skipEscapedEnds() {
	for s.double && strings.HasPrefix(s.text[s.pos:], "\\\n") {
		s.pos += 2
		s.skipSpace()
	}
}

// foldsHere says whether only white space is left in this line.
func (s *source) foldsHere() bool {
	return strings.HasPrefix(strings.TrimLeft(s.text[s.pos:], " \t"), "\n")
}

func (s *source) skipTo(chars string) {
	if i := strings.IndexAny(s.text[s.pos:], chars); i >= 0 {
		s.pos += i
	} else {
		s.pos = len(s.text)
	}
}

func (s *source) skipSpace() {
	for s.pos < len(s.text) && isSpace(rune(s.text[s.pos])) {
		s.pos++
	}
}

func (s *source) skipIndent() {
	for i := 0; i < s.indent && s.pos < len(s.text) && s.text[s.pos] == ' '; i++ {
		s.pos++
	}
}

func isSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' }

// escapeLength is the length of the escape sequence that s begins with.
func escapeLength(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	default:
		return 2
	}
}

// offset is the byte offset of a line and column.
func (d *Document) offset(line, column int) int {
	pos := 0
	for range line - 1 {
		pos += strings.IndexByte(d.text[pos:], '\n') + 1
	}
	for range column - 1 {
		_, width := utf8.DecodeRuneInString(d.text[pos:])
		pos += width
	}
	return pos
}

// place is the line and column of a byte offset.
func (d *Document) place(offset int) (line, column int) {
	before := d.text[:min(offset, len(d.text))]
	begin := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[begin:]) + 1
}
