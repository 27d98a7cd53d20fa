package main

import (
	"context"
	"math"
	"time"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// recorded are the settings of a source that is only registered here: it plays back what was seen
// of a change.
type recorded struct{}

func (*recorded) Check(spec.Section)    {}
func (*recorded) SetDefaults(spec.Spec) {}
func (*recorded) Traits() spec.SourceTraits {
	return spec.SourceTraits{Language: spec.Selectors{}, Past: true, Parts: true}
}

// withRecorded is the catalog of this build with that source, which plays back one change.
func withRecorded(c change) catalog.Catalog {
	all := catalog.New()
	all.Sources = append(all.Sources, source.Kind{
		Name: "recorded", New: func() spec.SourceSettings { return new(recorded) },
		Open: func(h spec.Health, s source.Scope, _ source.Deps) (source.Source, error) {
			return &playback{change: c, scope: s, every: h.Every.Std(), stale: h.StaleAfter.Std()}, nil
		},
	})
	return all
}

// playback answers about some targets of a change what a Prometheus would that scraped them. An
// expression is the name of a metric.
type playback struct {
	change
	scope        source.Scope
	every, stale time.Duration
}

func (p *playback) Refresh(context.Context, time.Time, time.Time) {}

// targets are those of an arm.
func (p *playback) targets(a source.Arm) []fleet.Target {
	if a == source.Control {
		return p.scope.Control
	}
	return p.scope.Exposed
}

// Count adds up what an arm showed in a window. A metric that none of its targets showed is no
// answer.
func (p *playback) Count(_ context.Context, expr string, a source.Arm, w source.Window, l source.OnEmpty) source.Reading {
	r := source.Reading{Query: expr, Span: w.Length()}
	some := false
	for _, t := range p.targets(a) {
		of := p.numbers[expr][t.ID].within(w.From, w.At)
		r.Value, some = r.Value+of.sum(), some || len(of) > 0
	}
	if !some && l == source.EmptyIsUnknown {
		r = source.NoData(expr, "no target shows it")
		r.Empty = true
	}
	return r
}

// Increase counts from where the tally began.
func (p *playback) Increase(
	ctx context.Context, expr string, a source.Arm, w source.Window, t *source.Tally, l source.OnEmpty,
) source.Reading {
	if t.From.IsZero() {
		t.From = w.From
	}
	r := p.Count(ctx, expr, a, source.Window{From: t.From, At: w.At}, l)
	if r.Verdict == "" {
		r.Value, t.Counted = r.Value-t.Counted, r.Value
	}
	return r
}

// Gauge is the mean of what the exposed targets show.
func (p *playback) Gauge(ctx context.Context, expr string, w source.Window) source.Reading {
	return p.Gauges(ctx, expr, source.Exposed, w).Mean(expr, p.targets(source.Exposed))
}

func (p *playback) Coverage(_ string, a source.Arm) (read, of int) {
	return len(p.targets(a)), len(p.targets(a))
}

// Absence and RestartSpan are as with a Prometheus that scrapes once a minute.
func (p *playback) Absence() time.Duration     { return 2 * p.every }
func (p *playback) RestartSpan() time.Duration { return 4 * p.every }

// Baseline reaches back as far as the targets were seen, an hour at most.
func (p *playback) Baseline(_ context.Context, at time.Time) (source.Window, error) {
	w := source.Window{From: at, At: at}
	for _, of := range p.numbers {
		for _, t := range append(p.targets(source.Exposed), p.targets(source.Control)...) {
			if s := of[t.ID]; len(s) > 0 {
				if from := source.Later(s[0].at.Add(-p.every), at.Add(-time.Hour)); from.Before(w.From) {
					w.From = from
				}
			}
		}
	}
	return w, nil
}

// Counts are those of each exposed target.
func (p *playback) Counts(_ context.Context, expr string, w source.Window, _ source.OnEmpty) source.Readings {
	out := source.Readings{Of: map[string]source.Reading{}}
	for _, t := range p.scope.Exposed {
		of := p.numbers[expr][t.ID].within(w.From, w.At)
		if r := (source.Reading{Value: of.sum()}); len(of) > 0 {
			out.Of[t.ID] = r
		} else {
			out.Of[t.ID] = source.NoData(expr, "it does not show it")
		}
	}
	out.Asked = len(out.Of)
	return out
}

// Gauges are the newest numbers of each target.
func (p *playback) Gauges(_ context.Context, expr string, a source.Arm, w source.Window) source.Readings {
	out := source.Readings{Of: map[string]source.Reading{}}
	for _, t := range p.targets(a) {
		of := p.numbers[expr][t.ID].within(w.At.Add(-p.stale), w.At)
		if len(of) == 0 {
			out.Of[t.ID] = source.NoData(expr, "it does not show it")
			continue
		}
		out.Of[t.ID] = source.Reading{Value: of[len(of)-1].value}
	}
	out.Asked = len(out.Of)
	return out
}

// BaselineMeans are the means of each target before.
func (p *playback) BaselineMeans(
	_ context.Context, expr string, a source.Arm, w source.Window, long, _ time.Duration,
) map[string]float64 {
	out := map[string]float64{}
	for _, t := range p.targets(a) {
		if of := p.numbers[expr][t.ID].within(w.At.Add(-long), w.At); len(of) > 0 {
			out[t.ID] = of.mean()
		}
	}
	return out
}

// Past are an arm's events, look by look.
func (p *playback) Past(
	ctx context.Context, expr string, a source.Arm, at time.Time, looks int, step time.Duration,
) ([]float64, source.Reading) {
	all := p.Count(ctx, expr, a, source.Window{From: at.Add(-time.Duration(looks) * step), At: at}, source.EmptyIsUnknown)
	if all.Verdict != "" {
		return nil, all
	}
	out := make([]float64, looks)
	for i := range out {
		end := at.Add(-time.Duration(looks-1-i) * step)
		out[i] = p.Count(ctx, expr, a, source.Window{From: end.Add(-step), At: end}, source.EmptyIsZero).Value
	}
	return out, source.Reading{Query: expr}
}

// Numbers are the means of what each target showed in each look.
func (p *playback) Numbers(
	_ context.Context, expr string, _ source.Arm, ids []string, from time.Time, looks int, step time.Duration,
) (rows [][]float64, ok bool) {
	for i := range looks {
		row, begin := make([]float64, len(ids)), from.Add(time.Duration(i)*step)
		for k, id := range ids {
			row[k] = p.numbers[expr][id].within(begin, begin.Add(step)).mean()
			ok = ok || !math.IsNaN(row[k])
		}
		rows = append(rows, row)
	}
	return rows, ok
}

// Density is that of one sample for each number.
func (p *playback) Density(_ context.Context, expr string, w source.Window) float64 {
	n := 0
	for _, t := range p.scope.Exposed {
		n = max(n, len(p.numbers[expr][t.ID].within(w.From, w.At)))
	}
	return float64(n) / max(1, w.Length().Seconds())
}

func (p *playback) Misspelt(context.Context, string, time.Time) string { return "" }
