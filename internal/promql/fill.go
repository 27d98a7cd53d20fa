package promql

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// nothing is a regular expression that matches no text at all, not even "".
const nothing = `[^\x00-\x{10FFFF}]`

// Fill puts values in the place of an expression's placeholders. It refuses an expression that
// Check refuses, and a result whose shape is not that of the expression: a value can never become
// code.
func Fill(expr string, v Values) (string, error) {
	harmless := samples
	if model.LegacyValidation.IsValidLabelName(v.Label) { // what is no name is refused where it is used
		harmless.Label = v.Label
	}
	t, err := checkTemplate(expr, harmless)
	if err != nil {
		return "", err
	}
	filled, _, err := render(t.pieces, v)
	if err != nil {
		return "", err
	}
	got, err := parser.NewParser(parser.Options{}).ParseExpr(filled)
	if err != nil || shape(got) != shape(t.tree) {
		return "", errors.New("a value changes what the expression asks, expected plain text in the label, the targets and the release")
	}
	return filled, nil
}

// span says where a stretch of rendered text comes from.
type span struct {
	at     int // in the rendered text
	origin int // in the template
	copied bool
}

// render puts the pieces together and records where each came from.
func render(pieces []piece, v Values) (string, []span, error) {
	var out strings.Builder
	spans := make([]span, 0, len(pieces))
	for _, p := range pieces {
		spans = append(spans, span{at: out.Len(), origin: p.offset, copied: p.name == ""})
		if p.name == "" {
			out.WriteString(p.source)
			continue
		}
		value, err := v.of(p)
		if err != nil {
			return "", nil, errAt(p.offset, "$%s: %s", p.name, err)
		}
		out.WriteString(value)
	}
	return out.String(), spans, nil
}

// origin maps an offset in rendered text to one in the template.
func origin(spans []span, at int) int {
	last := span{copied: true}
	for _, s := range spans {
		if s.at > at {
			break
		}
		last = s
	}
	if last.copied {
		return last.origin + at - last.at
	}
	return last.origin
}

// of is the text that stands for one placeholder.
func (v Values) of(p piece) (string, error) {
	switch p.name {
	case "exposed":
		return v.arm(v.Exposed)
	case "cohort":
		return v.arm(v.Cohort)
	case "control":
		return v.arm(v.Control)
	case "window":
		whole := v.Window.Truncate(time.Millisecond)
		if whole <= 0 {
			return "", fmt.Errorf("the window is %s, expected at least 1ms", v.Window)
		}
		return model.Duration(whole).String(), nil
	default:
		texts := map[string]string{"release": v.Release, "previous": v.Previous, "unit": v.Unit, "stage": v.Stage}
		return inString(texts[p.name], p)
	}
}

// arm is the matcher for the targets of an arm. It is one regular expression however many they are,
// so that the shape of a query does not depend on it.
func (v Values) arm(values []string) (string, error) {
	if !model.LegacyValidation.IsValidLabelName(v.Label) {
		return "", fmt.Errorf("%q is not a label name", v.Label)
	}
	var alternatives []string
	for _, value := range values {
		if value == "" {
			continue
		}
		if !utf8.ValidString(value) {
			return "", fmt.Errorf("%q is not valid UTF-8", value)
		}
		alternatives = append(alternatives, regexp.QuoteMeta(value))
	}
	pattern := nothing
	if len(alternatives) > 0 {
		pattern = strings.Join(alternatives, "|")
	}
	return v.Label + `=~"` + escape(pattern, '"') + `"`, nil
}

// inString is a text for the inside of a string literal.
func inString(value string, p piece) (string, error) {
	if !utf8.ValidString(value) {
		return "", fmt.Errorf("%q is not valid UTF-8", value)
	}
	if p.regex {
		value = regexp.QuoteMeta(value)
	}
	if p.quote != '`' {
		return escape(value, p.quote), nil
	}
	if strings.ContainsRune(value, '`') {
		return "", fmt.Errorf("%q has a backtick, expected double quotes around the placeholder", value)
	}
	return value, nil
}

// escape writes s for the inside of a string literal with that quote.
func escape(s string, quote byte) string {
	var out strings.Builder
	for _, r := range s {
		switch {
		case r == '\\' || r == rune(quote):
			out.WriteByte('\\')
			out.WriteRune(r)
		case r < 0x20 || r == 0x7f || r == utf8.RuneError: // PromQL takes U+FFFD for broken text
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// shape is an expression with everything that a value may set blanked out: the values of matchers,
// and durations. The tree is changed by it.
func shape(tree parser.Expr) string {
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			for _, m := range n.LabelMatchers {
				m.Value = "_"
			}
			if n.OriginalOffset != 0 {
				n.OriginalOffset = time.Minute
			}
		case *parser.MatrixSelector:
			n.Range = time.Minute
		case *parser.SubqueryExpr:
			n.Range = time.Minute
			if n.Step != 0 {
				n.Step = time.Minute
			}
			if n.OriginalOffset != 0 {
				n.OriginalOffset = time.Minute
			}
		}
		return nil
	})
	return tree.String()
}
