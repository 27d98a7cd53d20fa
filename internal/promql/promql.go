// Package promql fills the placeholders of a query and checks queries before they are ever sent. It
// does no I/O and keeps no state; every function is safe for concurrent use.
//
// A placeholder is $name. Three kinds exist, each with its own place:
//
//   - $exposed, $cohort and $control are label matchers, and stand between
//     braces: http_requests_total{code="500",$exposed};
//   - $window is a duration, and stands between brackets or after offset;
//   - $release, $previous, $unit and $stage are text, and stand inside the value
//     of a label matcher: build_info{version="$release"}.
package promql

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/sluicehq/sluice/internal/terminal"
)

// MaxLength bounds an expression, in bytes: far more than a person writes, and little enough that
// parsing it can exhaust nothing.
const MaxLength = 16 << 10

// Values are what placeholders stand for.
type Values struct {
	// Label is the label by which metrics know a target.
	Label string
	// Exposed, Cohort and Control are the label's values on each arm. An arm without values becomes
	// a matcher that matches nothing. Empty values are ignored, since they would match every series
	// that lacks the label.
	Exposed, Cohort, Control []string
	// Window is what $window covers. It must be at least a millisecond if the expression uses it;
	// what is finer is cut off.
	Window time.Duration
	// Release, Previous, Unit and Stage are plain text, escaped when filled in.
	Release, Previous, Unit, Stage string
}

// Error says what is wrong with an expression, and where.
type Error struct {
	// Offset is the byte offset in the expression as it was written.
	Offset int
	// Message says what is wrong and what was expected. It holds no control characters.
	Message string
}

// Error gives the position, counted from 1, and the message.
func (e *Error) Error() string { return fmt.Sprintf("character %d: %s", e.Offset+1, e.Message) }

func errAt(offset int, format string, args ...any) *Error {
	return &Error{Offset: offset, Message: fmt.Sprintf(format, args...)}
}

// Check says whether an expression with placeholders can be asked of a Prometheus: it parses, its
// placeholders are known and stand where they may, and it evaluates to an instant vector or a
// scalar. The error is an *Error.
func Check(expr string) error {
	_, err := checkTemplate(expr, samples)
	return err
}

// template is an expression with placeholders, parsed with harmless values in their place.
type template struct {
	pieces  []piece
	origins []span
	tree    parser.Expr
}

// errAt is an error about a part of the expression, at its place in the template.
func (t template) errAt(part parser.Expr, format string, args ...any) *Error {
	return errAt(origin(t.origins, int(part.PositionRange().Start)), format, args...)
}

// checkTemplate parses the expression filled with harmless values.
func checkTemplate(expr string, harmless Values) (t template, err error) {
	if t.pieces, err = split(expr); err != nil {
		return t, err
	}
	text, origins, err := render(t.pieces, harmless)
	if err != nil {
		return t, err
	}
	t.origins = origins
	if t.tree, err = parse(text); err != nil {
		if at, ok := errors.AsType[*Error](err); ok {
			at.Offset = origin(origins, at.Offset)
		}
		return t, err
	}
	if gives := t.tree.Type(); gives != parser.ValueTypeVector && gives != parser.ValueTypeScalar {
		return t, t.errAt(t.tree,
			"the expression gives a %s, expected an instant vector or a scalar, such as sum(rate(http_requests_total{$cohort}[$window]))",
			parser.DocumentedType(gives))
	}
	return t, nil
}

// samples parse wherever real values do.
var samples = Values{
	Label: "instance", Exposed: []string{"x"}, Cohort: []string{"x"}, Control: []string{"x"},
	Window: time.Minute, Release: "x", Previous: "x", Unit: "x", Stage: "x",
}

// parse reads a PromQL expression without placeholders. Its error is an *Error.
func parse(text string) (parser.Expr, error) {
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err == nil {
		return tree, nil
	}
	if errs, ok := errors.AsType[parser.ParseErrors](err); ok && len(errs) > 0 {
		first := errs[0]
		offset := min(max(int(first.PositionRange.Start), 0), len(text))
		return nil, errAt(offset, "invalid PromQL: %s", terminal.Safe(first.Err.Error()))
	}
	return nil, errAt(0, "invalid PromQL: %s", terminal.Safe(err.Error()))
}

// Placeholders lists the placeholders that an expression uses, without the dollar sign, in order of
// appearance and without repetition. An expression that Check refuses may have none.
func Placeholders(expr string) []string {
	pieces, err := split(expr)
	if err != nil {
		return nil
	}
	var used []string
	for _, p := range pieces {
		if p.name != "" && !slices.Contains(used, p.name) {
			used = append(used, p.name)
		}
	}
	return used
}

// OnlyCohort says that an expression asks about $cohort and not about $exposed: of what was exposed
// before it tells nothing.
func OnlyCohort(expr string) bool {
	used := Placeholders(expr)
	return slices.Contains(used, "cohort") && !slices.Contains(used, "exposed")
}
