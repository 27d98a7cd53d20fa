package draft

import (
	"fmt"
	"regexp"
	"strings"
)

// matcher is a condition on one label, as in a selector.
type matcher struct {
	label, op, value string
}

func (m matcher) String() string { return fmt.Sprintf("%s%s%q", m.label, m.op, m.value) }

// selects says whether labels fulfil all matchers.
func selects(match []matcher, labels map[string]string) bool {
	for _, m := range match {
		if !m.selects(labels[m.label]) {
			return false
		}
	}
	return true
}

func (m matcher) selects(value string) bool {
	switch m.op {
	case "=":
		return value == m.value
	case "!=":
		return value != m.value
	}
	all, err := regexp.MatchString("^(?:"+m.value+")$", value)
	return err == nil && all == (m.op == "=~")
}

// selector names series.
type selector struct {
	name  string
	match []matcher
}

// with is the selector with more matchers.
func (s selector) with(more ...matcher) selector {
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

// by is how a source is asked: by plain selectors, or by queries that tell targets apart by a label.
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
