package health

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// events reads a check's bad and total events. read answers one expression: with which = 0 the
// total, with 1 the bad events. A check of slow requests reads a histogram: its bad events are the
// total less the requests within the bound. If the source does not keep the histogram in one form
// (classic), events asks for the next (native).
func (m *Stage) events(
	ctx context.Context, c spec.Check, w source.Window, read func(expr string, which int, l source.OnEmpty) source.Reading,
) ratio {
	total := read(m.whole(c, c.Total), 0, source.EmptyIsUnknown)
	for _, other := range slowForms(c, m.source) {
		if !total.Empty || other.Total == c.Total {
			continue
		}
		if again := read(other.Total, 0, source.EmptyIsUnknown); !again.Empty {
			c, total = other, again
		}
	}
	if total.Verdict != "" {
		return ratio{total: total}
	}
	if c.Slow == nil {
		return ratio{bad: read(m.whole(c, c.Bad), 1, source.EmptyIsZero), total: total}
	}
	within := read(c.Bad, 1, source.EmptyIsUnknown)
	if within.Empty {
		within = notABound(within, float64(c.Slow.Over), source.HistogramsOf(m.source).Bounds(ctx, c.Slow.Histogram, w))
	}
	within.Value = total.Value - within.Value
	return ratio{bad: within, total: total}
}

// whole is the query that asks about all targets of an arm together what expr, one of the check's,
// asks about each.
func (m *Stage) whole(c spec.Check, expr string) string {
	if c.Each == "" || expr == "" {
		return expr
	}
	return m.language.Whole(expr)
}

// expandHistograms answers the checks with queries in the place of histograms: of a check of slow
// requests, Total counts all requests and Bad those within the bound. Its error is that the source
// has no histograms.
func expandHistograms(checks []spec.Check, s source.Source) ([]spec.Check, error) {
	out := slices.Clone(checks)
	for i, c := range out {
		if c.Slow == nil {
			continue
		}
		forms := slowForms(c, s)
		if len(forms) == 0 {
			return nil, fmt.Errorf("check %q: the source has no histograms, expected bad and total", c.Name)
		}
		out[i] = forms[0]
	}
	return out, nil
}

// slowForms are a check of slow requests by each form of its histogram; none, where it asks for no
// histogram.
func slowForms(c spec.Check, s source.Source) []spec.Check {
	if c.Slow == nil {
		return nil
	}
	var out []spec.Check
	for _, q := range source.HistogramsOf(s).Slow(*c.Slow) {
		c.Total, c.Bad = q.Total, q.Within
		out = append(out, c)
	}
	return out
}

// notABound says why there is no bucket with a bound, naming those next to it.
func notABound(r source.Reading, bound float64, has []float64) source.Reading {
	at, found := slices.BinarySearch(has, bound)
	switch over := humanize.Plain(bound); {
	case len(has) == 0 || found:
		r.Why = "no series of the bucket: is " + over + " s one of the histogram's bounds?"
		return r
	case at == 0:
		r.Why = fmt.Sprintf("%s s is none of the histogram's bounds; the smallest is %s s", over, humanize.Plain(has[0]))
	case at == len(has):
		r.Why = fmt.Sprintf("%s s is none of the histogram's bounds; the largest is %s s", over, humanize.Plain(has[at-1]))
	default:
		r.Why = fmt.Sprintf(
			"%s s is none of the histogram's bounds; the nearest are %s s and %s s", over, humanize.Plain(has[at-1]), humanize.Plain(has[at]),
		)
	}
	r.Impossible = true
	return r
}
