package health

import (
	"fmt"
	"math"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// named names the worst targets.
func (t ranking) named(c spec.Check, e perTargetInput, n, allowed int) string {
	var words []string
	for _, v := range t.ranked[:n] {
		words = append(words, source.Cut(v.words, 200))
	}
	s := listed(words, 5)
	if c.Value == "" {
		s += ", " + e.limited(c, t.ranked[0].value)
	}
	s += fmt.Sprintf("; %d of %d targets", n, len(e.targets))
	if allowed > 0 {
		s += fmt.Sprintf(", up to %d are tolerated", allowed)
	}
	return s
}

// limited words the limit of a ratio, so that it can be told from the value.
func (e perTargetInput) limited(c spec.Check, value float64) string {
	_, limit := humanize.Apart(humanize.PercentTo, 2, value, e.limit(c))
	if c.Against == "" {
		return "limit " + limit
	}
	with := "control"
	if e.before {
		with = "before the stage" + weaker
	}
	return fmt.Sprintf("limit %s (%s %s, +%s)", limit, with, e.control, humanize.Percent(number(c.Worse)))
}

// fine words that all that are judged are inside, and names the worst.
func (t ranking) fine(c spec.Check, e perTargetInput) string {
	worst := t.ranked[0]
	who := fmt.Sprintf("%d of %d targets inside", len(t.ranked), len(e.targets))
	if len(t.ranked) == len(e.targets) {
		who = fmt.Sprintf("all %d targets inside", len(e.targets))
	}
	if len(e.targets) == 1 {
		who = "the target is inside"
	}
	limit := "the limit " + humanize.Plain(worst.limit)
	if c.Value == "" {
		limit = e.limited(c, worst.value)
	}
	s := fmt.Sprintf("%s, the worst %s, %s", who, source.Cut(worst.words, 200), limit)
	if worst.excess > 0 {
		s += ", which chance explains"
	}
	return s
}

// rest accounts for the targets that were not judged.
func (t ranking) rest(c spec.Check) string {
	s := ""
	if t.idle > 0 {
		s += fmt.Sprintf("; %d with fewer than %s events", t.idle, humanize.Integer(math.Max(1, float64(c.MinSamples))))
	}
	if n := len(t.unknown); n > 0 {
		s += fmt.Sprintf("; %d without data", n)
		if n == t.missed {
			s += ", as before the stage"
		}
	}
	return s
}

// dark words what is unknown.
func (t ranking) dark(e perTargetInput) string {
	var words []string
	for _, v := range t.unknown {
		words = append(words, v.id+" ("+source.Cut(v.why.Why, 120)+")")
	}
	return fmt.Sprintf("%d of %d targets have no usable data: %s", len(t.unknown), len(e.targets), named(words))
}

// thin words that too few targets could be judged.
func (t ranking) thin(c spec.Check, all int) string {
	return fmt.Sprintf("%d of %d targets could be judged, at least half are needed%s", len(t.ranked), all, t.rest(c))
}
