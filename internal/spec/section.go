package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/suggest"
)

// Section is a part of a file that is validated. Every method names a field by its path in the
// section, such as "timeout" or "match[0]"; "" is the section itself. A problem with a field that
// could not be decoded is not reported again.
type Section struct {
	doc  *strictyaml.Document
	path string
}

// In is the section of one of its fields.
func (s Section) In(field string) Section { return Section{s.doc, s.full(field)} }

// full is the path of a field in the file.
func (s Section) full(field string) string {
	if s.path == "" || field == "" || field[0] == '[' {
		return s.path + field
	}
	return s.path + "." + field
}

// Bad reports a problem with a field: what it is, and what was expected.
func (s Section) Bad(field, format string, args ...any) {
	s.doc.Add(s.full(field), fmt.Sprintf(format, args...))
}

// Lacks reports that the section has none of some fields, of which it needs one. Where it has a
// field that nobody knows, that was reported, and may stand for it.
func (s Section) Lacks(format string, args ...any) {
	if !s.doc.Strange(s.path) {
		s.Bad("", format, args...)
	}
}

// BadInside is Bad for one place in a text, a number of bytes from its beginning.
func (s Section) BadInside(field string, offset int, message string) {
	s.doc.AddInside(s.full(field), offset, message)
}

// IsBad says whether a problem with a field was reported, or with what it is part of.
func (s Section) IsBad(field string) bool { return s.doc.Bad(s.full(field)) }

// Has says whether the file sets a field.
func (s Section) Has(field string) bool { return s.doc.Has(s.full(field)) }

// Given says whether the file sets a field, or tried to.
func (s Section) Given(field string) bool { return s.Has(field) || s.IsBad(field) }

// AnyGiven says whether the file sets one of some fields.
func (s Section) AnyGiven(fields ...string) bool { return slices.ContainsFunc(fields, s.Given) }

// Needs reports a problem unless the file sets a field.
func (s Section) Needs(field string) bool {
	if !s.Given(field) {
		s.Bad(field, "is required")
		return false
	}
	return true
}

// At is line:column of a field, for a problem that concerns two.
func (s Section) At(field string) string {
	line, column := s.doc.Position(s.full(field))
	return fmt.Sprintf("%d:%d", line, column)
}

// Foreign refuses fields that mean nothing in a form: a limit that is ignored is worse than none.
func (s Section) Foreign(form string, fields ...string) {
	for _, field := range fields {
		if s.Given(field) {
			s.Bad(field, "has no effect in %s: remove it", form)
		}
	}
}

// AtMostOne reports fields that stand beside another of them, and answers the first that the file
// sets.
func (s Section) AtMostOne(fields ...string) (first string) {
	for _, field := range fields {
		switch {
		case !s.Given(field):
		case first == "":
			first = field
		default:
			s.Bad(field, "cannot be combined with %s at %s: keep one of them", first, s.At(first))
		}
	}
	return first
}

// one answers which of some keys the file sets. It reports a second one, and with needed that there
// is none; what names what they are, as in "driver".
func (s Section) one(known []string, needed, what string) string {
	given := slices.DeleteFunc(slices.Clone(known), func(name string) bool { return !s.Given(name) })
	switch len(given) {
	case 1:
		return given[0]
	case 0:
		s.Lacks("%s", needed)
	default:
		s.Bad("", "has %s, expected exactly one %s", strings.Join(given, " and "), what)
	}
	return ""
}

// list is a, b and c.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// Between checks a number if the file sets it.
func (s Section) Between(field string, n, low, high int) {
	if s.Has(field) && (n < low || n > high) {
		s.Bad(field, "is %d, expected %d to %d", n, low, high)
	}
}

// Positive checks a duration if the file sets it.
func (s Section) Positive(field string, d Duration) {
	if s.Has(field) && d <= 0 {
		s.Bad(field, "is 0s, expected more")
	}
}

// AtMost checks a duration if the file sets it: more than 0s, and not more than most.
func (s Section) AtMost(field string, d, most Duration) {
	s.Positive(field, d)
	if s.Has(field) && d > most {
		s.Bad(field, "is %s, expected at most %s", d, most)
	}
}

// OneOf checks a word if the file sets it.
func (s Section) OneOf(field, word string, known ...string) {
	if !s.Has(field) || slices.Contains(known, word) {
		return
	}
	hint := ""
	if best, ok := suggest.Nearest(word, known); ok {
		hint = ", did you mean " + best + "?"
	}
	s.Bad(field, "is %s, expected %s%s", strictyaml.Quote(word), strings.Join(known, " or "), hint)
}

// labelForm is the form of the name of a fleet's label.
var labelForm = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.:/-]*$`)

// label checks the name of a fleet's label if the file sets it.
func (s Section) label(field, name string) bool {
	if s.Has(field) && !labelForm.MatchString(name) {
		s.Bad(field, "%s is not a label, "+
			"expected letters, digits, '_', '.', ':', '/' and '-', beginning with a letter or '_'", strictyaml.Quote(name))
		return false
	}
	return true
}

// once checks that a word of a list does not stand in it before.
func (s Section) once(field string, words []string, i int) {
	if first := slices.Index(words, words[i]); first < i {
		s.Bad(strictyaml.Index(field, i), "%s is listed twice, first at %s", strictyaml.Quote(words[i]), s.At(strictyaml.Index(field, first)))
	}
}

// Share checks a number that is written as a percentage more often than not, and catches one whose
// percent sign was forgotten. Why says why more than most makes no sense.
func (s Section) Share(field string, n *Number, most Number, why string) {
	switch {
	case n == nil:
	case *n < 0:
		s.Bad(field, "is %v, expected at least 0", float64(*n))
	case *n > most:
		hint := ""
		if *n >= 1 {
			hint = fmt.Sprintf("; did you mean %v%%?", float64(*n))
		}
		s.Bad(field, "is %v, which is %v%%, expected at most %v%%: %s%s", float64(*n), float64(*n*100), float64(most*100), why, hint)
	}
}

// maxRate is the largest probability of a mistake: beyond it a coin decides better.
const maxRate = Number(0.5)

// Rate checks the probability of a mistake. Why says why more than one half makes no sense.
func (s Section) Rate(field string, n Number, why string) {
	if n <= 0 {
		s.Bad(field, "is %v, expected more than 0%%: nothing that is measured is certain", float64(n))
		return
	}
	s.Share(field, &n, maxRate, why)
}
