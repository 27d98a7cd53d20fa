package prometheus

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/spec"
)

// owned are the targets of an arm by their label's values, in the order of a sample.
type owned struct {
	values []string
	ids    map[string]string
	of     int // how many targets the arm has
}

// owners maps the label's values to targets. Where a check asks about each, no two may share one.
func owners(h spec.Health, targets []fleet.Target) (owned, error) {
	some := source.Sample(targets, source.EachSample)
	values, err := identities(h.Identify, some)
	if err != nil {
		return owned{}, err
	}
	o := owned{values: values, ids: make(map[string]string, len(values)), of: len(targets)}
	each := slices.ContainsFunc(h.Checks, spec.Check.PerTarget)
	for i, v := range values {
		if other, taken := o.ids[v]; each && taken {
			return owned{}, fmt.Errorf(
				"health.identify: targets %s and %s both appear as %s=%q, "+
					"so a check of each target cannot tell them apart; expected a value of its own for each target, such as {{address}}",
				other, some[i].ID, h.Identify.Label, source.Cut(v, 60),
			)
		}
		o.ids[v] = some[i].ID
	}
	return o, nil
}

// about are the targets of an arm that an expression names.
func (p *server) about(expr string, a source.Arm) owned {
	switch {
	case a == source.Control:
		return p.eachControl
	case promql.OnlyCohort(expr):
		return p.eachCohort
	}
	return p.eachExposed
}

func (p *server) Counts(ctx context.Context, expr string, w source.Window, l source.OnEmpty) source.Readings {
	s := p.askEach(ctx, expr, source.Exposed, w, l)
	born, wrong := p.bornEach(ctx, expr, w)
	if wrong.Verdict != "" && s.Verdict == "" {
		return source.Readings{Reading: wrong}
	}
	for id, r := range s.Of {
		if r = r.Counted(); r.Verdict == "" {
			r.Value += born[id]
		}
		s.Of[id] = r
	}
	return s
}

func (p *server) Gauges(ctx context.Context, expr string, a source.Arm, w source.Window) source.Readings {
	s := p.askEach(ctx, expr, a, w, source.EmptyIsUnknown)
	for id, r := range s.Of {
		s.Of[id] = r.Usable()
	}
	return s
}

// askEach asks about all targets of an arm, as few at a time as a query names, and gives each the
// series that has its label.
func (p *server) askEach(ctx context.Context, expr string, a source.Arm, w source.Window, l source.OnEmpty) source.Readings {
	about := p.about(expr, a)
	batches := slices.Collect(slices.Chunk(about.values, matcherSample))
	parts := make([]source.Readings, len(batches))
	var wg sync.WaitGroup
	for i, values := range batches {
		wg.Go(func() { parts[i] = p.askSome(ctx, expr, owned{values: values, ids: about.ids}, w, l) })
	}
	wg.Wait()
	all := source.Readings{Reading: source.NoData(expr, "no target to ask about"), Of: map[string]source.Reading{}, Asked: about.of}
	for i, part := range parts {
		switch {
		case part.Verdict != "" && !part.Empty:
			part.Of = nil
			return part
		case i == 0:
			all.Reading = part.Reading
		case !part.Empty:
			all.Verdict, all.Why, all.Empty = "", "", false
			all.Warnings = append(slices.Clone(all.Warnings), part.Warnings...)
		}
		maps.Copy(all.Of, part.Of)
	}
	return all
}

// askSome asks one query. An answer without series is empty, and says what that means of each
// target.
func (p *server) askSome(ctx context.Context, expr string, about owned, w source.Window, l source.OnEmpty) source.Readings {
	query, err := p.fillFor(expr, about.values, w)
	if err != nil {
		return source.Readings{Reading: source.NoData(expr, "the query cannot be filled: %s", err)}
	}
	query = promql.By(query, p.spec.Identify.Label)
	s := p.series(ctx, query, about, w.At)
	if s.Verdict != "" && !s.Empty {
		return s
	}
	if crowd := p.shared(ctx, query, w); crowd.Verdict != "" {
		crowd.Query, crowd.Warnings = query, s.Warnings
		return source.Readings{Reading: crowd}
	}
	if s.Empty && l == source.EmptyIsZero {
		s.Verdict, s.Why, s.Empty = "", "", false
	}
	selectors, err := promql.Selectors(query)
	if err != nil || len(selectors) == 0 {
		return source.Readings{Reading: source.NoData(query, "the query asks about no series, so nothing tells how old its answer is")}
	}
	var stamps []source.Readings
	for _, sel := range selectors {
		stamp := p.series(ctx, newest("max by ("+p.spec.Identify.Label+") ", sel), about, w.At)
		if stamp.Verdict != "" && !stamp.Empty {
			return source.Readings{Reading: stamp.Reading}
		}
		stamps = append(stamps, stamp)
	}
	var known []source.Readings // of the same metrics, with any values of their labels
	if l == source.EmptyIsZero {
		for _, sel := range selectors {
			known = append(known, p.series(ctx, newest("max by ("+p.spec.Identify.Label+") ", p.ownOf(sel)), about, w.At))
		}
	}
	found := s.Of
	s.Of = make(map[string]source.Reading, len(about.values))
	for _, v := range about.values {
		id := about.ids[v]
		r, there := found[id]
		s.Of[id] = p.own(r, there, p.stampsOf(id, stamps), w, l, p.none(id, selectors, known, w))
	}
	s.Early = p.early(query, w)
	return s
}

// own is the reading of one target by its series and the times of its newest samples.
func (p *server) own(
	r source.Reading, there bool, stamps []time.Time, w source.Window, l source.OnEmpty, none source.Reading,
) source.Reading {
	switch {
	case !there && l == source.EmptyIsUnknown:
		return source.Reading{Verdict: judge.NoData, Why: "it has no series"}
	case !there && len(stamps) > 0:
		return source.Reading{Verdict: judge.NoData, Why: "its series were read only once yet"}
	case !there:
		return none
	case r.Verdict != "":
		return r
	case len(stamps) == 0 && l == source.EmptyIsUnknown:
		return source.Reading{Verdict: judge.Stale, Why: "none of its series has a recent sample"}
	}
	for _, newest := range stamps {
		if old := p.times(w).Aged(newest); old.Verdict != "" {
			return old
		}
	}
	return r
}

// none says what it means that a target has no series: that nothing has happened yet, as long as
// the target itself has the metrics, with the same labels.
func (p *server) none(id string, selectors []string, known []source.Readings, w source.Window) source.Reading {
	for i, has := range known {
		r, there := has.Of[id]
		switch {
		case has.Verdict != "" && !has.Empty:
			return has.Reading
		case !there:
			return nobodyHas("", p.ownOf(selectors[i]))
		}
		if old := p.times(w).Aged(p.stamp(r)); old.Verdict != "" {
			return old
		}
	}
	return source.Reading{}
}

// stampsOf are the times of a target's newest samples by selector, where it has any.
func (p *server) stampsOf(id string, stamps []source.Readings) []time.Time {
	var out []time.Time
	for _, s := range stamps {
		if r, ok := s.Of[id]; ok && r.Usable().Verdict == "" {
			out = append(out, p.stamp(r))
		}
	}
	return out
}

// series evaluates a query that answers one series per target that it is about. Others that it
// answers are left out, with a warning.
func (p *server) series(ctx context.Context, query string, about owned, at time.Time) source.Readings {
	g := p.evaluate(ctx, query, at)
	s := source.Readings{Reading: g.Reading, Of: map[string]source.Reading{}}
	if s.Verdict != "" {
		return s
	}
	v, ok := g.value.(model.Vector)
	if !ok {
		r := single(g.value)
		if r.Verdict == "" {
			r = source.NoData("", "the query answers one number where one for each target is asked")
		}
		s.Verdict, s.Why = r.Verdict, r.Why
		return s
	}
	strange, example := 0, ""
	for _, series := range v {
		var name string
		if series != nil {
			name = string(series.Metric[model.LabelName(p.spec.Identify.Label)])
		}
		id, known := about.ids[name]
		switch {
		case !known:
			strange++
			example = name
		default:
			if _, twice := s.Of[id]; twice {
				s.Of[id] = source.Reading{
					Verdict: judge.NoData,
					Why:     fmt.Sprintf("it has several series where one is asked: sum or max them by (%s)", p.spec.Identify.Label),
				}
				continue
			}
			s.Of[id] = sampled(series)
		}
	}
	if strange > 0 {
		s.Warnings = append(
			slices.Clone(s.Warnings),
			fmt.Sprintf(
				"%d series that belong to none of the targets were left out, such as %s=%q", strange, p.spec.Identify.Label, source.Cut(example, 60),
			),
		)
	}
	if len(s.Of) == 0 {
		s.Verdict, s.Why, s.Empty = judge.NoData, "the query found no series", len(v) == 0
		if strange > 0 {
			s.Why = "the query found only series that belong to none of the targets"
		}
	}
	return s
}
