package simulate

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/spec"
)

// Sources are kinds of sources whose settings are the real ones, and whose numbers are those of the
// world. One that really has no past has none here.
func (w *World) Sources(real source.Registry) source.Registry {
	out := slices.Clone(real)
	for i, k := range out {
		out[i].Open = func(h spec.Health, s source.Scope, _ source.Deps) (source.Source, error) {
			settings := k.New()
			if err := h.Source.Decode(settings); err != nil {
				return nil, err
			}
			traits := settings.Traits()
			n := &numbers{World: w, spec: h, scope: s, measure: traits.Measure.Std()}
			if traits.Past {
				return &history{n}, nil
			}
			return newMemory(n), nil
		}
	}
	return out
}

// numbers is the source of a world's numbers.
type numbers struct {
	*World
	spec    spec.Health
	scope   source.Scope
	measure time.Duration
}

// Refresh reads nothing: what has happened is known.
func (*numbers) Refresh(context.Context, time.Time, time.Time) {}

// about are the targets that a query names.
func (n *numbers) about(expr string, a source.Arm) []fleet.Target {
	switch {
	case a == source.Control:
		return n.scope.Control
	case strings.Contains(expr, "$cohort") && !strings.Contains(expr, "$exposed"):
		return n.scope.Cohort
	}
	return n.scope.Exposed
}

// before are the targets that a query names, for a time when none was exposed.
func (n *numbers) before(expr string, a source.Arm) []fleet.Target {
	if a == source.Exposed && len(n.scope.Cohort) > 0 {
		return n.scope.Cohort
	}
	return n.about(expr, a)
}

// wrong says why a query has no answer at a time, if it has none.
func (n *numbers) wrong(expr string, known bool, at time.Time) (none source.Reading) {
	switch {
	case !known:
		none = source.NoData(expr, "the model of the fleet does not know the query")
	case n.away(at):
		none = source.NoData(expr, "the source does not answer")
	}
	return none
}

// stream is the one that a query counts.
func (n *numbers) stream(expr string, at time.Time) (int, source.Reading) {
	i, known := n.asks.counts[expr]
	return i, n.wrong(expr, known, at)
}

// shows says whether a target shows anything at a time.
func (n *numbers) shows(h *host, at time.Time) bool {
	c := n.conditionOf(h, at)
	return !c.down && !c.silent
}

// Count is how many events an arm showed.
func (n *numbers) Count(_ context.Context, expr string, a source.Arm, w source.Window, _ source.OnEmpty) source.Reading {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.goOn()
	i, wrong := n.stream(expr, w.At)
	if wrong.Verdict != "" {
		return wrong
	}
	about, sum, showing := n.about(expr, a), 0.0, 0
	for _, t := range about {
		if h := n.byID[t.ID]; h != nil {
			sum += n.counted(h, i, w.At) - n.counted(h, i, w.From)
			if n.shows(h, w.At) {
				showing++
			}
		}
	}
	if missing := len(about) - showing; a == source.Exposed && missing > n.scope.Silent {
		return source.NoData(expr, "%d exposed targets show nothing any more", missing)
	}
	return source.Reading{Value: math.Floor(sum), Span: w.Length(), Query: expr}
}

// Increase is what is new since the tally.
func (n *numbers) Increase(
	ctx context.Context, expr string, a source.Arm, w source.Window, t *source.Tally, l source.OnEmpty,
) source.Reading {
	if t.From.IsZero() || !t.From.Before(w.At) {
		*t = source.Tally{From: w.From}
	}
	r := n.Count(ctx, expr, a, source.Window{From: t.From, At: w.At}, l)
	if r.Verdict != "" {
		return r
	}
	sum := r.Value
	r.Value = max(0, sum-t.Counted)
	t.Counted = max(t.Counted, sum)
	return r
}

// Gauge is the mean of the targets' numbers.
func (n *numbers) Gauge(ctx context.Context, expr string, w source.Window) source.Reading {
	return n.Gauges(ctx, expr, source.Exposed, w).Mean(expr, n.about(expr, source.Exposed))
}

// Coverage is of all targets.
func (n *numbers) Coverage(expr string, a source.Arm) (read, of int) {
	of = len(n.about(expr, a))
	return of, of
}

// Absence is how long without events means that there are none.
func (n *numbers) Absence() time.Duration { return n.spec.StaleAfter.Std() }

// RestartSpan is 0: nothing restarts here.
func (*numbers) RestartSpan() time.Duration { return 0 }

// Baseline is the time before, as long as the real source measures.
func (n *numbers) Baseline(ctx context.Context, at time.Time) (source.Window, error) {
	if n.measure == 0 {
		return source.Window{From: at.Add(-n.spec.Window.Std()), At: at}, nil
	}
	err := pause.For(ctx, n.measure)
	return source.Window{From: at, At: at.Add(n.measure)}, err
}

// Counts are those of every exposed target.
func (n *numbers) Counts(_ context.Context, expr string, w source.Window, _ source.OnEmpty) source.Readings {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.goOn()
	i, wrong := n.stream(expr, w.At)
	return n.each(expr, source.Exposed, wrong, w.At, func(h *host) source.Reading {
		return source.Reading{Value: math.Floor(n.counted(h, i, w.At) - n.counted(h, i, w.From)), Span: w.Length()}
	})
}

// each reads every target of an arm that shows anything at a time, unless something is wrong with
// all.
func (n *numbers) each(
	expr string, a source.Arm, wrong source.Reading, at time.Time, read func(*host) source.Reading,
) source.Readings {
	about := n.about(expr, a)
	out := source.Readings{Reading: wrong, Asked: len(about), Of: map[string]source.Reading{}}
	out.Query = expr
	if wrong.Verdict != "" {
		out.Of = nil
		return out
	}
	for _, t := range about {
		switch h := n.byID[t.ID]; {
		case h == nil:
		case n.shows(h, at):
			out.Of[t.ID] = read(h)
		default:
			out.Of[t.ID] = source.Reading{Verdict: judge.NoData, Why: "it has no series"}
		}
	}
	return out
}

// Gauges are the numbers of every target.
func (n *numbers) Gauges(_ context.Context, expr string, a source.Arm, w source.Window) source.Readings {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.goOn()
	num, known := n.asks.numbers[expr]
	return n.each(expr, a, n.wrong(expr, known, w.At), w.At, func(h *host) source.Reading {
		return source.Reading{Value: n.numberAt(num, h, w.At)}
	})
}

// numberAt is a target's number at a time, by what is wrong with it now.
func (n *numbers) numberAt(num number, h *host, at time.Time) float64 {
	c := condition{}
	if !at.Before(n.began) {
		c = n.conditionOf(h, at)
	}
	return num.at(h, c, n.model.Seed, uint64(at.Unix()/int64(Slot.Seconds()))) //nolint:gosec // a key
}

// BaselineMeans are the usual numbers.
func (n *numbers) BaselineMeans(
	_ context.Context, expr string, a source.Arm, w source.Window, long, step time.Duration,
) map[string]float64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	num, known := n.asks.numbers[expr]
	if !known || n.away(w.At) {
		return nil
	}
	out := map[string]float64{}
	for _, t := range n.before(expr, a) {
		h := n.byID[t.ID]
		if h == nil {
			continue
		}
		sum, of := 0.0, 0.0
		for at := w.At.Add(-long + step); !at.After(w.At); at = at.Add(step) {
			sum, of = sum+n.numberAt(num, h, at), of+1
		}
		if of > 0 {
			out[t.ID] = sum / of
		}
	}
	return out
}

// Slow are the model's own queries of a histogram.
func (n *numbers) Slow(s spec.Slow) []source.SlowQueries {
	return []source.SlowQueries{{Total: totalOf(s), Within: withinOf(s)}}
}

// Bounds are those that the spec's checks ask for.
func (n *numbers) Bounds(_ context.Context, histogram string, _ source.Window) []float64 {
	var out []float64
	for _, c := range n.spec.Checks {
		if c.Slow != nil && c.Slow.Histogram == histogram {
			out = append(out, float64(c.Slow.Over))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
