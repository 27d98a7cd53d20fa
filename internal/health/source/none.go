package source

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
)

// None is the source of a spec that has none: no check asks it.
type None struct{ Every spec.Duration }

func (None) Refresh(context.Context, time.Time, time.Time) {}

func (None) Count(_ context.Context, expr string, _ Arm, _ Window, _ OnEmpty) Reading {
	return NoData(expr, "the spec has no source")
}

func (None) Increase(_ context.Context, expr string, _ Arm, _ Window, _ *Tally, _ OnEmpty) Reading {
	return NoData(expr, "the spec has no source")
}

func (None) Gauge(_ context.Context, expr string, _ Window) Reading {
	return NoData(expr, "the spec has no source")
}

func (None) Coverage(string, Arm) (read, of int) { return 0, 0 }

func (n None) Absence() time.Duration { return n.Every.Std() }

func (None) Settling() time.Duration { return 0 }

func (None) Baseline(_ context.Context, at time.Time) (Window, error) {
	return Window{From: at, At: at}, nil
}
