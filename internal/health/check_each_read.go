package health

import (
	"context"

	"github.com/sluicehq/sluice/internal/spec"
)

// everyone reads every single target's numbers for a check.
func (m *Meter) everyone(ctx context.Context, c spec.Check, w window) everyone {
	e := everyone{missed: map[string]bool{}, silent: m.binding.Silent}
	for _, id := range m.binding.Before.Missing[c.Name] {
		e.missed[id] = true
	}
	if c.Value != "" {
		values := perTargetOf(m.source).gauges(ctx, c.Value, exposed, w)
		e.whole, e.of = []reading{values.reading}, values.asked
		for id, r := range values.of {
			e.targets = append(e.targets, member{id: id, value: r})
		}
		return e
	}
	total := perTargetOf(m.source).counts(ctx, c.Total, w, lackIsUnknown)
	if e.whole, e.of = []reading{total.reading}, total.asked; total.verdict != "" {
		return e
	}
	bad := perTargetOf(m.source).counts(ctx, c.Bad, w, lackIsNone)
	e.whole = append(e.whole, bad.reading)
	for id, r := range total.of {
		e.targets = append(e.targets, member{id: id, ratio: ratio{bad: bad.of[id], total: r}})
	}
	if c.Against != "" {
		e.control, e.before = m.compared(ctx, c, w)
		e.whole = append(e.whole, e.control.total, e.control.bad)
	}
	return e
}

// compared reads what a check compares with: the control, or what was before the
// stage where none is left.
func (m *Meter) compared(ctx context.Context, c spec.Check, w window) (r ratio, before bool) {
	if len(m.binding.Control) > 0 {
		return m.ratio(ctx, c, control, w), false
	}
	return m.binding.Before.ratio(c.Name), true
}
