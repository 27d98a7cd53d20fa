package health

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// When a value of a label is new and common.
const (
	// fewest events are no accident: where so many were to be expected, none is seen less than once
	// in 20,000 times.
	fewest = 10
	// rare is what share of its share now a value had at most that was hardly there before.
	rare = 1.0 / 20
	// leastShare is what share of all events is common for a check that has no limit of its own.
	leastShare = 0.001
	// twice the share that values of a class of HTTP had, such as 4xx, is no new kind of answer.
	twice = 2
	// mostly is what share of a label's values are statuses of HTTP where it is about them.
	mostly = 0.9
)

// overlooked takes a PASS back where bad may miss what it is to count: where a value of a label by
// which it picks events is new since the stage, and so common that the check would not pass, were
// these events bad. A release that counts its errors by another name does that.
func (m *Stage) overlooked(ctx context.Context, c spec.Check, at Look, res Judged) Judged {
	if res.Verdict != Pass || c.Bad == "" || c.Slow != nil || m.unchanged() || m.binding.Recovering {
		return res
	}
	b := source.BreakdownOf(m.source)
	now, r := b.Breakdown(ctx, c.Bad, c.Total, source.Exposed, at.Window)
	if r.Verdict != "" && !r.Empty {
		return res.withheld(r)
	}
	var known []source.Values
	if v, ok := m.binding.Before.Values[c.Name]; ok {
		known = append(known, v)
	}
	found, sure := newValues(c, now, known)
	if len(found) > 0 && len(m.binding.Control) > 0 {
		control, r := b.Breakdown(ctx, c.Bad, c.Total, source.Control, at.Window)
		if r.Verdict != "" && !r.Empty {
			return res.withheld(r)
		}
		found, sure = newValues(c, now, append(known, control))
	}
	if len(found) == 0 || !sure {
		return res
	}
	r.Verdict, r.Why = NoData, overlookedWords(found, now.Total)
	return res.withheld(r)
}

// withheld is a result without its PASS.
func (j Judged) withheld(from source.Reading) Judged {
	j.evidence(from)
	out := j.without(from)
	out.Shown = false
	return out
}

// newValues are the events that bad misses for new values, most first, if there are so many of them
// that the check would not pass, were they bad. It is not sure of it where nothing has shown enough
// events to know what is usual. It is pure.
func newValues(c spec.Check, now source.Values, known []source.Values) (found []source.Value, sure bool) {
	known = slices.DeleteFunc(slices.Clone(known), func(v source.Values) bool { return v.Total <= 0 })
	bad, missed := badOf(now), 0.0
	for _, v := range now.Of {
		if len(v.Missed) > 0 && !slices.ContainsFunc(v.Missed, func(l source.Label) bool { return usualValue(l, now, known) }) {
			found = append(found, v)
			missed += v.Events
		}
	}
	if missed < fewest || now.Total <= 0 || bad+missed <= allowedShare(c, known)*now.Total {
		return nil, false
	}
	return found, slices.ContainsFunc(known, func(v source.Values) bool { return v.Total*missed/now.Total >= fewest })
}

// usualValue says that a label had its value before, or that it is one of HTTP that tells nothing
// new: a success, or another answer of a class that was as frequent.
func usualValue(l source.Label, now source.Values, known []source.Values) bool {
	share := shareOf(now, func(other source.Label) bool { return other == l })
	for _, v := range known {
		if before := shareOf(v, func(other source.Label) bool { return other == l }); before > 0 && before >= rare*share {
			return true
		}
	}
	class := httpClass(l.Value)
	if class == 0 || !slices.ContainsFunc(known, func(v source.Values) bool { return ofHTTP(v, l.Name) }) {
		return false
	}
	if class <= '3' {
		return true
	}
	alike := func(other source.Label) bool { return other.Name == l.Name && httpClass(other.Value) == class }
	return slices.ContainsFunc(known, func(v source.Values) bool { return shareOf(v, alike) >= shareOf(now, alike)/twice })
}

// shareOf is the share of events that are missed for such a label.
func shareOf(v source.Values, is func(source.Label) bool) float64 {
	n := 0.0
	for _, one := range v.Of {
		if slices.ContainsFunc(one.Missed, is) {
			n += one.Events
		}
	}
	return n / v.Total
}

var httpCode = regexp.MustCompile(`^[1-5]([0-9][0-9]|xx|XX)$`)

// httpClass is the first digit of a status of HTTP, such as 404 or 4xx; 0 of anything else.
func httpClass(value string) byte {
	if !httpCode.MatchString(value) {
		return 0
	}
	return value[0]
}

// ofHTTP says that a label had statuses of HTTP for its values, but for a few such as "0".
func ofHTTP(v source.Values, name string) bool {
	all := shareOf(v, func(l source.Label) bool { return l.Name == name })
	http := shareOf(v, func(l source.Label) bool { return l.Name == name && httpClass(l.Value) != 0 })
	return http > 0 && http >= mostly*all
}

// badOf are the events that are bad already.
func badOf(v source.Values) float64 {
	n := 0.0
	for _, one := range v.Of {
		if len(one.Missed) == 0 {
			n += one.Events
		}
	}
	return n
}

// allowedShare is the share of bad events up to which a check passes.
func allowedShare(c spec.Check, known []source.Values) float64 {
	switch {
	case c.Objective != nil:
		return max(1, float64(c.Burn)) * (1 - number(c.Objective))
	case c.Against == "":
		return number(c.Max)
	}
	most := leastShare
	for _, v := range known {
		most = max(most, badOf(v)/v.Total*(1+number(c.Worse)))
	}
	return most
}

// overlookedWords are those of a NODATA.
func overlookedWords(found []source.Value, total float64) string {
	const some = 3
	names, values := map[string]bool{}, []string{}
	for _, v := range found {
		for _, l := range v.Missed {
			names[l.Name] = true
		}
	}
	for _, v := range found[:min(len(found), some)] {
		var of []string
		for _, l := range v.Missed {
			text := fmt.Sprintf("%q", source.Cut(l.Value, 60))
			if len(names) > 1 {
				text = l.Name + "=" + text
			}
			of = append(of, text)
		}
		values = append(values, fmt.Sprintf("%s (%s of %s events)",
			strings.Join(of, " with "), humanize.Integer(v.Events), humanize.Integer(total)))
	}
	if len(found) > some {
		values = append(values, "…")
	}
	name := found[0].Missed[0].Name
	if len(found) == 1 {
		return fmt.Sprintf("a value of %q is new since the stage and common: %s: does `bad` miss it?", name, values[0])
	}
	return fmt.Sprintf("values of %q are new since the stage and common: %s: does `bad` miss them?", name, strings.Join(values, ", "))
}

// measureValues keeps what values the labels had by which bad events are picked.
func (m *Evaluator) measureValues(ctx context.Context, w source.Window, b *Baseline) {
	var own source.Source
	for _, c := range m.checks {
		if c.spec.Bad == "" || c.spec.Slow != nil {
			continue
		}
		if own == nil {
			if cut := m.stage.window(w.At, m.stage.binding.Since); cut.From.After(w.From) { // what another rollout did is not usual
				w = cut
			}
			own = m.stage.own(ctx, w)
		}
		v, r := source.BreakdownOf(own).Breakdown(ctx, c.spec.Bad, c.spec.Total, source.Exposed, w)
		if r.Verdict == "" && v.Total > 0 {
			keep(&b.Values, c.spec.Name, v)
		}
	}
}
