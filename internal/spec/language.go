package spec

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/sluicehq/sluice/internal/promql"
)

// PromQL is the language of a source that answers PromQL with placeholders, such as $exposed.
type PromQL struct{}

// inside reports an error of an expression at its place in it.
func (s Section) inside(field string, err error) bool {
	at, ok := errors.AsType[*promql.Error](err)
	if ok {
		s.BadInside(field, at.Offset, at.Message)
	}
	return ok
}

// Query checks that an expression says which targets it is about.
func (PromQL) Query(s Section, field, expr string) {
	if s.inside(field, promql.Check(expr)) {
		return
	}
	used := promql.Placeholders(expr)
	if !slices.Contains(used, "exposed") && !slices.Contains(used, "cohort") {
		s.Bad(field,
			"asks about all targets of the fleet, expected $exposed (all targets changed so far) or $cohort (those of this stage) between the "+
				"braces of its metrics, such as http_requests_total{$exposed}")
	}
}

// PerTarget checks that an expression keeps the label of a target.
func (PromQL) PerTarget(s Section, field, expr, label string) {
	if s.inside(field, promql.Keeps(expr, label)) {
		return
	}
	if used := promql.Placeholders(expr); slices.Contains(used, "exposed") && slices.Contains(used, "cohort") {
		s.Bad(field, "asks about $exposed and $cohort, expected one of them, so that it is known of which targets it answers each")
	}
}

// Counts checks that an expression asks for no rate.
func (PromQL) Counts(s Section, field, expr string) { s.inside(field, promql.Counts(expr)) }

// Ranges are those between brackets.
func (PromQL) Ranges(expr string) []string {
	const odd = 86399 * time.Second // nobody writes it
	var out []string
	for _, d := range promql.Ranges(expr, odd) {
		if d == odd {
			out = append(out, "$window")
		} else {
			out = append(out, Duration(d).String())
		}
	}
	return out
}

// InLooks checks that an expression is an increase over $window.
func (PromQL) InLooks(s Section, field, expr string) {
	if !slices.Contains(promql.Placeholders(expr), "window") {
		s.Bad(field,
			"does not use $window, so that what is new in each look cannot be told from what was counted before, expected "+
				"increase(…[$window]), such as sum(increase(http_requests_total{$exposed}[$window]))")
		return
	}
	PromQL{}.Counts(s, field, expr)
}

// Histogram checks a selector, with $exposed or $cohort in it or neither.
func (PromQL) Histogram(s Section, field, text string) {
	if s.inside(field, promql.Check(text)) {
		return
	}
	used := promql.Placeholders(text)
	switch exposed, cohort := slices.Contains(used, "exposed"), slices.Contains(used, "cohort"); {
	case slices.Contains(used, "window"):
		s.Bad(field, "has $window, expected the histogram alone: what it counted in each look is asked for by itself")
	case slices.Contains(used, "control"):
		s.Bad(field, "asks about $control, expected $exposed, $cohort or neither: the other arm is asked the same")
	case exposed && cohort:
		s.Bad(field, "asks about $exposed and $cohort, expected one of them")
	default:
		filled, _ := promql.Fill(text, promql.Values{Label: defaultLabel, Window: time.Minute})
		name, matchers, _ := promql.ParseSelector(filled) // no name, where it is no selector
		s.histogram(field, text, name, matchers)
	}
}

// CompleteHistogram makes a histogram that says of no arm one of $exposed.
func (PromQL) CompleteHistogram(text string) string {
	m := histogramForm.FindStringSubmatch(text)
	if used := promql.Placeholders(text); m == nil || slices.Contains(used, "exposed") || slices.Contains(used, "cohort") {
		return text
	}
	matchers := strings.TrimPrefix(m[2], "{")
	if strings.Trim(matchers, "} \t\n") == "" {
		return m[1] + "{$exposed}"
	}
	return m[1] + "{$exposed," + matchers
}

// Whole adds up the targets.
func (PromQL) Whole(expr string) string {
	if strings.Contains(expr, "#") {
		expr += "\n" // which ends a comment
	}
	return "sum(" + expr + ")"
}

// Selectors is the language of a source that reads pages of the targets: plain selectors, such as
// http_requests_total{code=~"5.."}.
type Selectors struct{}

// Query checks a selector.
func (Selectors) Query(s Section, field, expr string) {
	_, _, err := promql.ParseSelector(expr)
	s.inside(field, err)
}

// PerTarget has nothing to check: each page is of one target.
func (Selectors) PerTarget(Section, string, string, string) {}

// Counts has nothing to check: what counters grow by is counted.
func (Selectors) Counts(Section, string, string) {}

// Ranges are none: pages are compared with the ones before.
func (Selectors) Ranges(string) []string { return nil }

// InLooks has nothing to check: pages are compared with the ones before.
func (Selectors) InLooks(Section, string, string) {}

// Histogram checks a selector.
func (Selectors) Histogram(s Section, field, text string) {
	name, matchers, err := promql.ParseSelector(text)
	if !s.inside(field, err) {
		s.histogram(field, text, name, matchers)
	}
}

// CompleteHistogram leaves a selector as it is.
func (Selectors) CompleteHistogram(text string) string { return text }

// Whole is the selector, which is read of every target.
func (Selectors) Whole(expr string) string { return expr }

// histogramExample is what a histogram should look like.
const histogramExample = "expected the name of a metric, with label matchers or without, " +
	"such as http_request_duration_seconds{code!~\"5..\"}"

// histogram checks the metric and the matchers of a histogram; name is empty for what is no
// selector.
func (s Section) histogram(field, text, name string, matchers []*labels.Matcher) {
	if name == "" || !histogramForm.MatchString(text) {
		s.Bad(field, "is not a histogram, %s", histogramExample)
		return
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			s.Bad(field, "is one of a histogram's series, expected the name of the histogram, %s", base)
			return
		}
	}
	if slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return m.Name == "le" }) {
		s.Bad(field, "picks buckets by their bound (le), expected all of the histogram's")
	}
}
