package prometheus

import (
	"context"

	"github.com/sluicehq/sluice/internal/health/source"
)

// Increase asks for everything since the tally began, of which what is more than before is
// new. So every event counts once, even one that reaches the source late. A range that has
// grown longer than the window starts again half a window ago.
func (p *server) Increase(
	ctx context.Context, expr string, a source.Arm, w source.Window, t *source.Tally, l source.OnEmpty,
) source.Reading {
	if t.From.IsZero() || !t.From.Before(w.At) || w.At.Sub(t.From) > 2*p.spec.Window.Std() {
		*t = source.Tally{From: w.From}
	}
	whole := p.ask(ctx, expr, a, source.Window{From: t.From, At: w.At}, l).Counted()
	if whole.Verdict != "" {
		return whole
	}
	sum := whole.Value
	whole.Value = max(0, sum-t.Counted)
	t.Counted = max(t.Counted, sum)
	if begin := w.At.Add(-p.spec.Window.Std() / 2); w.At.Sub(t.From) > p.spec.Window.Std() {
		rest := p.ask(ctx, expr, a, source.Window{From: begin, At: w.At}, l).Counted()
		if rest.Verdict != "" { // the look as a whole is made up for by the next
			return rest
		}
		*t = source.Tally{From: begin, Counted: rest.Value}
	}
	return whole
}
