package promql

import (
	"strings"
	"unicode/utf8"

	"github.com/sluicehq/sluice/internal/suggest"
)

// kind is where a placeholder may stand.
type kind int

const (
	literal kind = iota
	matcher      // $exposed: between braces
	window       // $window: between brackets or after offset
	text         // $release: inside the value of a matcher
)

// kinds are where each placeholder may stand.
var kinds = map[string]kind{
	"exposed": matcher, "cohort": matcher, "control": matcher, "window": window,
	"release": text, "previous": text, "unit": text, "stage": text,
}

var names = []string{"exposed", "cohort", "control", "window", "release", "previous", "unit", "stage"}

// piece is a stretch of a template: literal text, or one placeholder.
type piece struct {
	offset int    // in the template, in bytes
	source string // as written
	name   string // of the placeholder; empty for literal text
	quote  byte   // of the string literal around a text placeholder
	regex  bool   // that string is matched as a regular expression
}

// scanner walks a template far enough to know what is a string, a comment, a brace. It leaves every
// finer question to the parser.
type scanner struct {
	expr   string
	pos    int
	from   int // start of the literal text not yet cut off
	pieces []piece
	braces int
	prev   string // code since the last string or placeholder, without white space at its end
}

// split cuts a template into pieces. Its error is an *Error.
func split(expr string) ([]piece, error) {
	if len(expr) > MaxLength {
		return nil, errAt(0, "the expression has %d bytes, expected at most %d", len(expr), MaxLength)
	}
	if !utf8.ValidString(expr) {
		return nil, errAt(0, "the expression is not valid UTF-8")
	}
	s := &scanner{expr: expr}
	for s.pos < len(expr) {
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	s.cut(len(expr))
	return s.pieces, nil
}

func (s *scanner) step() error {
	switch c := s.expr[s.pos]; c {
	case '"', '\'', '`':
		return s.quoted(c)
	case '#':
		if end := strings.IndexByte(s.expr[s.pos:], '\n'); end >= 0 {
			s.pos += end
		} else {
			s.pos = len(s.expr)
		}
		return nil
	case '$':
		return s.bare()
	case '{':
		s.braces++
	case '}':
		s.braces--
	case ' ', '\t', '\n', '\r':
		s.pos++
		return nil
	}
	s.prev = s.expr[max(0, s.pos-7) : s.pos+1]
	s.pos++
	return nil
}

// bare reads a placeholder outside of strings.
func (s *scanner) bare() error {
	start := s.pos
	name := word(s.expr[start+1:])
	switch kinds[name] {
	case matcher:
		if s.braces < 1 || !strings.HasSuffix(s.prev, "{") && !strings.HasSuffix(s.prev, ",") {
			return errAt(start, "$%s is a label matcher, expected it between braces, such as http_requests_total{code=\"500\",$%s}", name, name)
		}
	case window:
		if !strings.HasSuffix(s.prev, "[") && !strings.HasSuffix(s.prev, ":") && !strings.HasSuffix(strings.ToLower(s.prev), "offset") {
			return errAt(start, "$window is a duration, expected it between brackets, such as rate(http_requests_total{$cohort}[$window])")
		}
	case text:
		return errAt(start, "$%s is text, expected it inside quotes as the value of a label, such as build_info{version=\"$%s\"}", name, name)
	default:
		return unknown(start, name)
	}
	s.place(piece{offset: start, name: name})
	s.prev = "$"
	return nil
}

// quoted reads a string literal and the placeholders in it.
func (s *scanner) quoted(quote byte) error {
	value := strings.HasSuffix(s.prev, "=") || strings.HasSuffix(s.prev, "~")
	regex := strings.HasSuffix(s.prev, "~")
	for s.pos++; s.pos < len(s.expr) && s.expr[s.pos] != quote; {
		switch {
		case s.expr[s.pos] == '\\' && quote != '`':
			s.pos = min(s.pos+2, len(s.expr))
		case s.expr[s.pos] == '$' && word(s.expr[s.pos+1:]) != "":
			start, name := s.pos, word(s.expr[s.pos+1:])
			switch kinds[name] {
			case text:
				if s.braces < 1 || !value {
					return errAt(start, "$%s stands only in the value of a label, such as build_info{version=\"$%s\"}", name, name)
				}
			case matcher, window:
				return errAt(start, "$%s stands inside quotes, where it would be plain text, expected it outside of them", name)
			default:
				return unknown(start, name)
			}
			s.place(piece{offset: start, name: name, quote: quote, regex: regex})
		default:
			s.pos++
		}
	}
	s.pos = min(s.pos+1, len(s.expr))
	s.prev = string(quote)
	return nil
}

// place cuts off the text before a placeholder and adds it.
func (s *scanner) place(p piece) {
	s.cut(p.offset)
	p.source = s.expr[p.offset : p.offset+1+len(p.name)]
	s.pieces = append(s.pieces, p)
	s.pos = p.offset + len(p.source)
	s.from = s.pos
}

func (s *scanner) cut(end int) {
	if end > s.from {
		s.pieces = append(s.pieces, piece{offset: s.from, source: s.expr[s.from:end]})
	}
	s.from = end
}

func unknown(offset int, name string) *Error {
	if name == "" {
		return errAt(offset, "a $ stands alone, expected a placeholder such as $cohort")
	}
	hint := ""
	if best, ok := suggest.Nearest(name, names); ok {
		hint = ", did you mean $" + best + "?"
	}
	return errAt(offset, "unknown placeholder $%s%s (known: $%s)", name, hint, strings.Join(names, ", $"))
}

// word is the letters, digits and underscores that s begins with, if the first is a letter or
// underscore.
func word(s string) string {
	end := 0
	for end < len(s) && (s[end] == '_' || s[end]|0x20 >= 'a' && s[end]|0x20 <= 'z' || end > 0 && s[end] >= '0' && s[end] <= '9') {
		end++
	}
	return s[:end]
}
