package health

import (
	"context"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// readTargets reads every single target's numbers for a check.
func (m *Stage) readTargets(ctx context.Context, c spec.Check, w source.Window) perTargetInput {
	e := perTargetInput{missed: map[string]bool{}, silent: m.binding.Silent}
	for _, id := range m.binding.Before.Missing[c.Name] {
		e.missed[id] = true
	}
	if c.Value != "" {
		values := source.PerTargetOf(m.source).Gauges(ctx, c.Value, source.Exposed, w)
		e.whole, e.of = []source.Reading{values.Reading}, values.Asked
		for id, r := range values.Of {
			e.targets = append(e.targets, member{id: id, value: r})
		}
		return e
	}
	total := source.PerTargetOf(m.source).Counts(ctx, c.Total, w, source.EmptyIsUnknown)
	if e.whole, e.of = []source.Reading{total.Reading}, total.Asked; total.Verdict != "" {
		return e
	}
	bad := source.PerTargetOf(m.source).Counts(ctx, c.Bad, w, source.EmptyIsZero)
	e.whole = append(e.whole, bad.Reading)
	for id, r := range total.Of {
		e.targets = append(e.targets, member{id: id, ratio: ratio{bad: bad.Of[id], total: r}})
	}
	if c.Against != "" {
		e.control, e.before = m.compared(ctx, c, w)
		e.whole = append(e.whole, e.control.total, e.control.bad)
	}
	return e
}

// compared reads what a check compares with: the control, or what was before the
// stage where none is left.
func (m *Stage) compared(ctx context.Context, c spec.Check, w source.Window) (r ratio, before bool) {
	if len(m.binding.Control) > 0 {
		return m.ratio(ctx, c, source.Control, w), false
	}
	return m.binding.Before.ratio(c.Name), true
}
