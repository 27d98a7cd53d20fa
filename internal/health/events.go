package health

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// events reads a check's bad and total events, by what reads one expression: the total,
// which is 0, or the bad ones, 1. Of a histogram those above the bound are all but those
// that are not; where it is not kept in one form, another is asked for.
func (m *Meter) events(ctx context.Context, c spec.Check, w window, read func(expr string, which int, l lack) reading) ratio {
	total := read(c.Whole(c.Total, m.spec), 0, lackIsUnknown)
	for _, other := range slowForms(c, m.source) {
		if !total.empty || other.Total == c.Total {
			continue
		}
		if again := read(other.Total, 0, lackIsUnknown); !again.empty {
			c, total = other, again
		}
	}
	if total.verdict != "" {
		return ratio{total: total}
	}
	if c.Slow == nil {
		return ratio{bad: read(c.Whole(c.Bad, m.spec), 1, lackIsNone), total: total}
	}
	within := read(c.Bad, 1, lackIsUnknown)
	if within.empty {
		within = notABound(within, float64(c.Slow.Over), histogramsOf(m.source).bounds(ctx, c.Slow.Histogram, w))
	}
	within.value = total.value - within.value
	return ratio{bad: within, total: total}
}

// expandHistograms answers the checks with queries in the place of histograms: of a check
// of slow requests, Total counts all requests and Bad those within the bound. Its error is
// that the source has no histograms.
func expandHistograms(checks []spec.Check, s source) ([]spec.Check, error) {
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

// slowForms are a check of slow requests by each form of its histogram; none, where it asks
// for no histogram.
func slowForms(c spec.Check, s source) []spec.Check {
	if c.Slow == nil {
		return nil
	}
	var out []spec.Check
	for _, q := range histogramsOf(s).slow(*c.Slow) {
		c.Total, c.Bad = q.total, q.within
		out = append(out, c)
	}
	return out
}

// notABound says why there is no bucket with a bound, naming those next to it.
func notABound(r reading, bound float64, has []float64) reading {
	at, found := slices.BinarySearch(has, bound)
	switch over := humanize.Plain(bound); {
	case len(has) == 0 || found:
		r.why = "no series of the bucket: is " + over + " s one of the histogram's bounds?"
		return r
	case at == 0:
		r.why = fmt.Sprintf("%s s is none of the histogram's bounds; the smallest is %s s", over, humanize.Plain(has[0]))
	case at == len(has):
		r.why = fmt.Sprintf("%s s is none of the histogram's bounds; the largest is %s s", over, humanize.Plain(has[at-1]))
	default:
		r.why = fmt.Sprintf("%s s is none of the histogram's bounds; the nearest are %s s and %s s", over, humanize.Plain(has[at-1]), humanize.Plain(has[at]))
	}
	r.impossible = true
	return r
}
