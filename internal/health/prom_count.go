package health

import (
	"context"
)

// added asks for everything since the tally began, of which what is more than before is
// new: so events count once, also those of which the source hears late. A range that
// grew longer than the window begins anew, half a window ago.
func (p *prometheus) added(ctx context.Context, expr string, a arm, w window, t *Tally, l lack) reading {
	if t.From.IsZero() || !t.From.Before(w.at) || w.at.Sub(t.From) > 2*p.spec.Window.Std() {
		*t = Tally{From: w.from}
	}
	whole := p.ask(ctx, expr, a, window{from: t.From, at: w.at}, l).counted()
	if whole.verdict != "" {
		return whole
	}
	sum := whole.value
	whole.value = max(0, sum-t.Counted)
	t.Counted = max(t.Counted, sum)
	if begin := w.at.Add(-p.spec.Window.Std() / 2); w.at.Sub(t.From) > p.spec.Window.Std() {
		rest := p.ask(ctx, expr, a, window{from: begin, at: w.at}, l).counted()
		if rest.verdict != "" { // the look as a whole is made up for by the next
			return rest
		}
		*t = Tally{From: begin, Counted: rest.value}
	}
	return whole
}
