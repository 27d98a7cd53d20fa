package activities

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

// bare says that nothing is installed on any of some targets. What was not installed has no past to
// judge by. One that does not answer counts as installed.
func bare(ctx context.Context, p plan.Plan, d driver.Driver, ts []fleet.Target) bool {
	if p.Spec.Fallback == nil || len(ts) == 0 { // without a fallback, such targets are refused
		return false
	}
	var installed atomic.Bool
	each(ctx, len(ts), p.Spec.Apply.Parallel, installed.Load, func(i int) {
		if s, err := d.Observe(ctx, ts[i], p.Spec.Unit); err != nil || s.Release != "" {
			installed.Store(true)
		}
	})
	return ctx.Err() == nil && !installed.Load()
}

// withoutPast is a stage's health and binding without what there was nothing installed to show
// before: a control of such targets is none, and neither is their share of traffic. Comparisons are
// shown and do not decide where others can judge; where there are none they decide, and hold.
func withoutPast(h spec.Health, b health.Binding) (spec.Health, health.Binding) {
	if b.Before.BareControl {
		b.Control = nil
	}
	if b.Before.Bare {
		h.Without = append(slices.Clone(h.Without), spec.CheckTraffic)
	}
	if !b.Before.Bare && !b.Before.BareOwn {
		return h, b
	}
	alone := func(c spec.Check) bool { return c.Against == "" && !c.Advisory }
	if len(b.Control) == 0 && slices.ContainsFunc(h.Checks, alone) {
		h.Checks = slices.Clone(h.Checks)
		for i := range h.Checks {
			h.Checks[i].Advisory = h.Checks[i].Advisory || h.Checks[i].Against != ""
		}
	}
	return h, b
}
