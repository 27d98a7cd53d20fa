package source

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
)

// PerTargetOf is what a source shows of every target; nothing, where it cannot.
func PerTargetOf(s Source) PerTarget {
	if p, ok := s.(PerTarget); ok {
		return p
	}
	return lacking{}
}

// HistoryOf is a source's past; nothing, where it has none.
func HistoryOf(s Source) History {
	if h, ok := s.(History); ok {
		return h
	}
	return lacking{}
}

// HistogramsOf are a source's histograms; none, where it has none.
func HistogramsOf(s Source) Histograms {
	if h, ok := s.(Histograms); ok {
		return h
	}
	return lacking{}
}

// lacking is what a source lacks: it knows nothing.
type lacking struct{}

func (lacking) Counts(_ context.Context, expr string, _ Window, _ OnEmpty) Readings {
	return Readings{Reading: NoData(expr, "the source does not tell one target from another")}
}

func (lacking) Gauges(_ context.Context, expr string, _ Arm, _ Window) Readings {
	return Readings{Reading: NoData(expr, "the source does not tell one target from another")}
}

func (lacking) BaselineMeans(context.Context, string, Arm, Window, time.Duration, time.Duration) map[string]float64 {
	return nil
}

func (lacking) Past(_ context.Context, expr string, _ Arm, _ time.Time, _ int, _ time.Duration) ([]float64, Reading) {
	return nil, NoData(expr, "the source has no past")
}

func (lacking) Numbers(context.Context, string, Arm, []string, time.Time, int, time.Duration) ([][]float64, bool) {
	return nil, false
}

func (lacking) Density(context.Context, string, Window) float64 { return 0 }

func (lacking) Misspelt(context.Context, string, time.Time) string { return "" }

func (lacking) Slow(spec.Slow) []SlowQueries { return nil }

func (lacking) Bounds(context.Context, string, Window) []float64 { return nil }

// None is the source of a spec that has none: no check asks it.
type None struct{ Every spec.Duration }

// Refresh reads nothing.
func (None) Refresh(context.Context, time.Time, time.Time) {}

// Count knows nothing.
func (None) Count(_ context.Context, expr string, _ Arm, _ Window, _ OnEmpty) Reading {
	return NoData(expr, "the spec has no source")
}

// Increase knows nothing.
func (None) Increase(_ context.Context, expr string, _ Arm, _ Window, _ *Tally, _ OnEmpty) Reading {
	return NoData(expr, "the spec has no source")
}

// Gauge knows nothing.
func (None) Gauge(_ context.Context, expr string, _ Window) Reading {
	return NoData(expr, "the spec has no source")
}

// Coverage is of no target.
func (None) Coverage(string, Arm) (read, of int) { return 0, 0 }

// Absence is the time between two looks.
func (n None) Absence() time.Duration { return n.Every.Std() }

// RestartSpan is 0.
func (None) RestartSpan() time.Duration { return 0 }

// Baseline is of no time.
func (None) Baseline(_ context.Context, at time.Time) (Window, error) {
	return Window{From: at, At: at}, nil
}
