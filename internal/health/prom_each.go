package health

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/spec"
)

// eachSample is how many targets a check of each asks about, at most, in queries of
// matcherSample targets.
const eachSample = 2000

// owned are the targets of an arm by their label's values, in the order of a sample.
type owned struct {
	values []string
	ids    map[string]string
	of     int // how many targets the arm has
}

// owners maps the label's values to targets. Where a check asks about each, no two
// may share one.
func owners(h spec.Health, targets []fleet.Target) (owned, error) {
	some := sample(targets, eachSample)
	values, err := identities(h.Identify, some)
	if err != nil {
		return owned{}, err
	}
	o := owned{values: values, ids: make(map[string]string, len(values)), of: len(targets)}
	each := slices.ContainsFunc(h.Checks, func(c spec.Check) bool { return c.Each != "" || c.Means() })
	for i, v := range values {
		if other, taken := o.ids[v]; each && taken {
			return owned{}, fmt.Errorf("health.identify: targets %s and %s both appear as %s=%q, so a check of each target cannot tell them apart; expected a value of its own for each target, such as {{address}}", other, some[i].ID, h.Identify.Label, cut(v, 60))
		}
		o.ids[v] = some[i].ID
	}
	return o, nil
}

// about are the targets of an arm that an expression names.
func (p *prometheus) about(expr string, a arm) owned {
	switch {
	case a == control:
		return p.eachControl
	case promql.OnlyCohort(expr):
		return p.eachCohort
	}
	return p.eachExposed
}

func (p *prometheus) counts(ctx context.Context, expr string, w window, l lack) spread {
	s := p.askEach(ctx, expr, exposed, w, l)
	for id, r := range s.of {
		s.of[id] = r.counted()
	}
	return s
}

func (p *prometheus) gauges(ctx context.Context, expr string, a arm, w window) spread {
	s := p.askEach(ctx, expr, a, w, lackIsUnknown)
	for id, r := range s.of {
		s.of[id] = r.usable()
	}
	return s
}

// askEach asks about all targets of an arm, as few at a time as a query names, and gives
// each the series that has its label.
func (p *prometheus) askEach(ctx context.Context, expr string, a arm, w window, l lack) spread {
	about := p.about(expr, a)
	batches := slices.Collect(slices.Chunk(about.values, matcherSample))
	parts := make([]spread, len(batches))
	var wg sync.WaitGroup
	for i, values := range batches {
		wg.Go(func() { parts[i] = p.askSome(ctx, expr, owned{values: values, ids: about.ids}, w, l) })
	}
	wg.Wait()
	all := spread{reading: noData(expr, "no target to ask about"), of: map[string]reading{}, asked: about.of}
	for i, part := range parts {
		switch {
		case part.verdict != "" && !part.empty:
			part.of = nil
			return part
		case i == 0:
			all.reading = part.reading
		case !part.empty:
			all.verdict, all.why, all.empty = "", "", false
			all.warnings = append(slices.Clone(all.warnings), part.warnings...)
		}
		maps.Copy(all.of, part.of)
	}
	return all
}

// askSome asks one query. An answer without series is empty, and says what that means
// of each target.
func (p *prometheus) askSome(ctx context.Context, expr string, about owned, w window, l lack) spread {
	query, err := p.fillFor(expr, about.values, w)
	if err != nil {
		return spread{reading: noData(expr, "the query cannot be filled: %s", err)}
	}
	s := p.series(ctx, query, about, w.at)
	if s.verdict != "" && !s.empty {
		return s
	}
	if s.empty && l == lackIsNone {
		s.verdict, s.why, s.empty = "", "", false
	}
	selectors, err := promql.Selectors(query)
	if err != nil || len(selectors) == 0 {
		return spread{reading: noData(query, "the query asks about no series, so nothing tells how old its answer is")}
	}
	var stamps []spread
	for _, sel := range selectors {
		stamp := p.series(ctx, newest("max by ("+p.spec.Identify.Label+") ", sel), about, w.at)
		if stamp.verdict != "" && !stamp.empty {
			return spread{reading: stamp.reading}
		}
		stamps = append(stamps, stamp)
	}
	var none reading // what it means of a target to have no series
	if l == lackIsNone {
		none = p.none(ctx, selectors, w)
	}
	found := s.of
	s.of = make(map[string]reading, len(about.values))
	for _, v := range about.values {
		id := about.ids[v]
		r, there := found[id]
		s.of[id] = p.own(r, there, stampsOf(id, stamps), w, l, none)
	}
	s.early = p.early(query, w)
	return s
}

// own is the reading of one target by its series and the times of its newest samples.
func (p *prometheus) own(r reading, there bool, stamps []time.Time, w window, l lack, none reading) reading {
	switch {
	case !there && l == lackIsUnknown:
		return reading{verdict: NoData, why: "it has no series"}
	case !there && len(stamps) > 0:
		return reading{verdict: NoData, why: "its series were read only once yet"}
	case !there:
		return none
	case r.verdict != "":
		return r
	case len(stamps) == 0 && l == lackIsUnknown:
		return reading{verdict: Stale, why: "none of its series has a recent sample"}
	}
	for _, newest := range stamps {
		if old := p.times(w).aged(newest); old.verdict != "" {
			return old
		}
	}
	return r
}

// none says what it means that a target has no series: that nothing has happened
// yet, as long as some target has the metric.
func (p *prometheus) none(ctx context.Context, selectors []string, w window) reading {
	for _, sel := range selectors {
		r := p.newest(ctx, loosened(sel), w.at)
		switch {
		case r.empty:
			return nobodyHas("", sel)
		case r.verdict != "":
			return r
		}
		if old := p.times(w).aged(stamp(r)); old.verdict != "" {
			return old
		}
	}
	return reading{}
}

// stampsOf are the times of a target's newest samples by selector, where it has any.
func stampsOf(id string, stamps []spread) []time.Time {
	var out []time.Time
	for _, s := range stamps {
		if r, ok := s.of[id]; ok && r.usable().verdict == "" {
			out = append(out, stamp(r))
		}
	}
	return out
}

// series evaluates a query that answers one series per target that it is about. Others that it
// answers are left out, with a warning.
func (p *prometheus) series(ctx context.Context, query string, about owned, at time.Time) spread {
	g := p.given(ctx, query, at)
	s := spread{reading: g.reading, of: map[string]reading{}}
	if s.verdict != "" {
		return s
	}
	v, ok := g.value.(model.Vector)
	if !ok {
		r := single(g.value)
		if r.verdict == "" {
			r = noData("", "the query answers one number where one for each target is asked")
		}
		s.verdict, s.why = r.verdict, r.why
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
			if _, twice := s.of[id]; twice {
				s.of[id] = reading{verdict: NoData, why: fmt.Sprintf("it has several series where one is asked: sum or max them by (%s)", p.spec.Identify.Label)}
				continue
			}
			s.of[id] = sampled(series)
		}
	}
	if strange > 0 {
		s.warnings = append(slices.Clone(s.warnings), fmt.Sprintf("%d series that belong to none of the targets were left out, such as %s=%q", strange, p.spec.Identify.Label, cut(example, 60)))
	}
	if len(s.of) == 0 {
		s.verdict, s.why, s.empty = NoData, "the query found no series", len(v) == 0
		if strange > 0 {
			s.why = "the query found only series that belong to none of the targets"
		}
	}
	return s
}
