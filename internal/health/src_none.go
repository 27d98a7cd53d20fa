package health

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
)

// nothing is the source of a spec that has none: no check asks it.
type nothing struct{ every spec.Duration }

func (nothing) refresh(context.Context, time.Time, time.Time) {}

func (nothing) count(_ context.Context, expr string, _ arm, _ window, _ lack) reading {
	return noData(expr, "the spec has no source")
}

func (nothing) added(_ context.Context, expr string, _ arm, _ window, _ *Tally, _ lack) reading {
	return noData(expr, "the spec has no source")
}

func (nothing) gauge(_ context.Context, expr string, _ window) reading {
	return noData(expr, "the spec has no source")
}

func (nothing) coverage(string, arm) (read, of int) { return 0, 0 }

func (n nothing) absence() time.Duration { return n.every.Std() }

func (nothing) settling() time.Duration { return 0 }

func (nothing) baseline(_ context.Context, at time.Time) (window, error) {
	return window{from: at, at: at}, nil
}
