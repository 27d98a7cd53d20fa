// Package strictyaml decodes YAML into Go values and reports everything that is wrong with it at
// once, each problem with its line and column.
//
// It is strict: unknown and repeated fields, a second document, wrong types, values without a
// meaning (null, explicit tags, merge keys) are problems, and so is input that is too large, too
// deep, or not text. JSON is YAML, and is read as well. It is the only package that reads YAML with
// the library; internal/bundle/data walks its nodes.
package strictyaml

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicehq/sluice/internal/terminal"
)

// Problem is one thing that is wrong in a file.
type Problem struct {
	File string `json:"file"`
	// Line and Column count from 1; a column is a character, not a byte. Both are 0 when the
	// problem is not at any one place.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Message says what is wrong and what was expected, in one line that is safe to show in a
	// terminal.
	Message string `json:"message"`
}

// Error is file:line:column: message.
func (p Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", terminal.Safe(p.File), p.Line, p.Column, p.Message)
}

// Problems is everything that is wrong with one file, in the order of lines. As an error it is
// never empty.
type Problems []Problem

// maxShown bounds the length of Problems.Error: nobody reads more, and a file of 64 MiB can have
// millions.
const maxShown = 1000

// Error has one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, 0, min(len(ps), maxShown+1))
	for i, p := range ps {
		if i == maxShown {
			lines = append(lines, fmt.Sprintf("and %d more problems", len(ps)-i))
			break
		}
		lines = append(lines, p.Error())
	}
	return strings.Join(lines, "\n")
}

// Err is the problems as an error, sorted and without repetition; nil when there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	sorted := slices.Clone(ps)
	slices.SortStableFunc(sorted, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(sorted)
}

// maxMessage bounds a message, in characters.
const maxMessage = 600

// tidy makes a message fit for one line of a terminal.
func tidy(message string) string {
	message = terminal.Safe(message)
	if utf8.RuneCountInString(message) > maxMessage {
		message = string([]rune(message)[:maxMessage]) + "…"
	}
	return message
}

// maxQuoted bounds a quoted value, in characters.
const maxQuoted = 80

// Quote shows a value of a user's in a message: in double quotes, with everything escaped that a
// terminal could act on, and cut when it is long.
func Quote(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) > maxQuoted {
		return fmt.Sprintf("%q…", string([]rune(s)[:maxQuoted]))
	}
	return fmt.Sprintf("%q", s)
}
