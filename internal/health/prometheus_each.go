package health

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/spec"
)

// owners maps the label's values to the exposed targets that queries name. Where a
// check asks about each target, no two may share one.
func (p *prometheus) owners(h spec.Health, b Binding) (map[string]string, error) {
	each := slices.ContainsFunc(h.Checks, func(c spec.Check) bool { return c.Each != "" })
	out := map[string]string{}
	for _, arm := range []struct {
		targets []fleet.Target
		values  []string
	}{{b.Exposed, p.exposed}, {b.Cohort, p.cohort}} {
		for i, t := range sample(arm.targets, matcherSample) {
			v := arm.values[i]
			if other, taken := out[v]; each && taken && other != t.ID {
				return nil, fmt.Errorf("health.identify: targets %s and %s both appear as %s=%q, so a check of each target cannot tell them apart; expected a value of its own for each target, such as {{address}}", other, t.ID, h.Identify.Label, cut(v, 60))
			}
			out[v] = t.ID
		}
	}
	return out, nil
}

// about are the label's values of the targets that an expression names.
func (p *prometheus) about(expr string) []string {
	used := promql.Placeholders(expr)
	if !slices.Contains(used, "exposed") && slices.Contains(used, "cohort") {
		return p.cohort
	}
	return p.exposed
}

func (p *prometheus) counts(ctx context.Context, expr string, w window, l lack) spread {
	s := p.askEach(ctx, expr, w, l)
	for id, r := range s.of {
		s.of[id] = r.counted()
	}
	return s
}

func (p *prometheus) gauges(ctx context.Context, expr string, w window) spread {
	s := p.askEach(ctx, expr, w, lackIsUnknown)
	for id, r := range s.of {
		s.of[id] = r.usable()
	}
	return s
}

// askEach asks once about all targets, and gives each the series that has its label.
func (p *prometheus) askEach(ctx context.Context, expr string, w window, l lack) spread {
	query, err := p.fill(expr, exposed, w)
	if err != nil {
		return spread{reading: noData(expr, "the query cannot be filled: %s", err)}
	}
	s := p.series(ctx, query, w.at)
	if s.verdict != "" && (!s.empty || l == lackIsUnknown) {
		return s
	}
	s.verdict, s.why, s.empty = "", "", false
	selectors, err := promql.Selectors(query)
	if err != nil || len(selectors) == 0 {
		return spread{reading: noData(query, "the query asks about no series, so nothing tells how old its answer is")}
	}
	var stamps []spread
	for _, sel := range selectors {
		stamp := p.series(ctx, newest("max by ("+p.spec.Identify.Label+") ", sel), w.at)
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
	s.of = map[string]reading{}
	for _, v := range p.about(expr) {
		id := p.ids[v]
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
			return noData("", "no target at all has series such as %s: is a name misspelt, or does the counter appear only with its first event?", cut(loosened(sel), 80))
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

// series evaluates a query that answers one series per exposed target. Others that it
// answers are left out, with a warning.
func (p *prometheus) series(ctx context.Context, query string, at time.Time) spread {
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
		id, known := p.ids[name]
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
		s.warnings = append(slices.Clone(s.warnings), fmt.Sprintf("%d series that belong to no exposed target were left out, such as %s=%q", strange, p.spec.Identify.Label, cut(example, 60)))
	}
	if len(s.of) == 0 {
		s.verdict, s.why, s.empty = NoData, "the query found no series", len(v) == 0
		if strange > 0 {
			s.why = "the query found only series that belong to no exposed target"
		}
	}
	return s
}
