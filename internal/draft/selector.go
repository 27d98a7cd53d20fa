package draft

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// matching is a matcher of one label.
func matching(label string, op labels.MatchType, value string) *labels.Matcher {
	return labels.MustNewMatcher(op, label, value) // whose regular expressions are made here
}

// selects says whether labels fulfil all matchers.
func selects(match []*labels.Matcher, of map[string]string) bool {
	return !slices.ContainsFunc(match, func(m *labels.Matcher) bool { return !m.Matches(of[m.Name]) })
}

// selector names series.
type selector struct {
	name  string
	match []*labels.Matcher
}

// with is the selector with more matchers.
func (s selector) with(more ...*labels.Matcher) selector {
	s.match = append(s.match[:len(s.match):len(s.match)], more...)
	return s
}

// text writes the selector, with a placeholder of targets if there is one.
func (s selector) text(placeholder string) string {
	var parts []string
	for _, m := range s.match {
		parts = append(parts, m.String())
	}
	if placeholder != "" {
		parts = append(parts, placeholder)
	}
	if len(parts) == 0 {
		return s.name
	}
	return s.name + "{" + strings.Join(parts, ",") + "}"
}

// exposed is the placeholder of the changed targets in a query.
const exposed = "$exposed"

// by is how a source is asked: by plain selectors, or by queries that tell targets apart by a
// label.
type by struct {
	queries bool
	label   string
}

// count asks for the events of a counter.
func (b by) count(s selector) string {
	if !b.queries {
		return s.text("")
	}
	return "sum(increase(" + s.text(exposed) + "[$window]))"
}

// countEach asks for them target by target.
func (b by) countEach(s selector) string {
	if !b.queries {
		return s.text("")
	}
	return "sum by (" + b.label + ") (increase(" + s.text(exposed) + "[$window]))"
}

// highest asks for the highest of a target's gauges, target by target. A page shows one number.
func (b by) highest(s selector) string {
	if !b.queries {
		return s.text("")
	}
	return "max by (" + b.label + ") (" + s.text(exposed) + ")"
}

// mean asks for the mean of a summary, target by target.
func (b by) mean(sum, count selector) string {
	return fmt.Sprintf("sum by (%[1]s) (increase(%[2]s[$window])) / sum by (%[1]s) (increase(%[3]s[$window]))",
		b.label, sum.text(exposed), count.text(exposed))
}
