package scrape

import (
	"context"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
)

// ownArm are those of the exposed targets that the stage itself exposes. They are counted by
// themselves beside both arms: a page has no past, so what the others showed just before the stage
// is what the release did to them.
const ownArm source.Arm = 2

// arms is how many sets of targets are counted.
const arms = 3

// in are the sets of targets in which a place of an arm counts.
func (s *pages) in(a source.Arm, p place) []source.Arm {
	if a == source.Exposed && slices.Contains(s.arms[ownArm], p) {
		return []source.Arm{a, ownArm}
	}
	return []source.Arm{a}
}

// sample picks n of the exposed targets: at least half of them, if there are so many, are the
// stage's own.
func sample(b source.Scope, n int) []fleet.Target {
	if len(b.Exposed) <= n || len(b.Cohort) == 0 {
		return source.Sample(b.Exposed, n)
	}
	mine := fleet.Set(fleet.IDs(b.Cohort))
	others := slices.DeleteFunc(slices.Clone(b.Exposed), func(t fleet.Target) bool { return mine[t.ID] })
	of := max(n*len(b.Cohort)/len(b.Exposed), (n+1)/2, n-len(others))
	some := source.Sample(b.Cohort, of)
	return append(slices.Clone(some), source.Sample(others, n-len(some))...)
}

// ownPages are pages of whose exposed targets only the stage's own count.
type ownPages struct{ *pages }

// Own shares what the pages keep.
func (s *pages) Own() source.Source { return ownPages{s} }

// Refresh does nothing: the pages are read once in a look.
func (s ownPages) Refresh(context.Context, time.Time, time.Time) {}

func (s ownPages) Count(ctx context.Context, expr string, a source.Arm, w source.Window, l source.OnEmpty) source.Reading {
	return s.pages.Count(ctx, expr, s.arm(a), w, l)
}

func (s ownPages) Increase(
	ctx context.Context, expr string, a source.Arm, w source.Window, t *source.Tally, l source.OnEmpty,
) source.Reading {
	return s.pages.Increase(ctx, expr, s.arm(a), w, t, l)
}

func (s ownPages) Coverage(expr string, a source.Arm) (read, of int) {
	return s.pages.Coverage(expr, s.arm(a))
}

func (s ownPages) BaselineLooks(expr string, a source.Arm) []float64 {
	return s.pages.BaselineLooks(expr, s.arm(a))
}

// Breakdown is of the stage's own targets.
func (s ownPages) Breakdown(ctx context.Context, bad, total string, a source.Arm, w source.Window) (source.Values, source.Reading) {
	return s.pages.Breakdown(ctx, bad, total, s.arm(a), w)
}

// arm is where an arm is counted.
func (ownPages) arm(a source.Arm) source.Arm {
	if a == source.Exposed {
		return ownArm
	}
	return a
}
