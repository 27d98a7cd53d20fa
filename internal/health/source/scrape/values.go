package scrape

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/promql"
)

// ValuesPart is what was counted in a span of time, for each check that picks bad events by labels.
type ValuesPart struct {
	From time.Time `json:"from"`
	At   time.Time `json:"at"`
	Of   []Arms    `json:"of"`
}

// Arms are the events of a metric by the values of labels: of the exposed targets, then of the
// control.
type Arms [2]source.Values

// breakdown tells apart the events of a metric among which a check picks the bad ones.
type breakdown struct {
	bad, total string
	name       string
	rest       []*labels.Matcher // of all that is counted
	picks      source.Picks
	whole      bool // total counts all of them
}

// tellApart readies what of a metric a check picks as bad. Its selectors can be read.
func (q *asked) tellApart(bad, total string) {
	name, matchers, err := promql.ParseSelector(bad)
	of, counted, err2 := promql.ParseSelector(total)
	if err != nil || err2 != nil || slices.ContainsFunc(q.breakdowns, func(k breakdown) bool { return k.bad == bad && k.total == total }) {
		return
	}
	k := breakdown{bad: bad, total: total, name: name, whole: name == of}
	if !k.whole {
		counted = nil
	}
	if k.picks = source.PicksOf(matchers, counted, k.whole); len(k.picks) == 0 {
		return
	}
	if k.whole {
		k.rest, k.whole = k.picks.Rest(counted)
	} else {
		k.rest = slices.DeleteFunc(matchers, func(m *labels.Matcher) bool { return slices.Contains(k.picks, m) })
	}
	q.breakdowns = append(q.breakdowns, k)
}

// tell counts a series of a page among those that are told apart. Of a page with too many values
// the first count.
func (pg *page) tell(all []breakdown, series labels.Labels, m metric) {
	for i, k := range all {
		if k.name != series.Get(model.MetricNameLabel) || (source.Reading{Value: m.value}).Counted().Verdict != "" ||
			slices.ContainsFunc(k.rest, func(m *labels.Matcher) bool { return !m.Matches(series.Get(m.Name)) }) {
			continue
		}
		missed, meant := k.picks.Missed(series.Get)
		if len(pg.values[i].Of) >= source.MostValues && !pg.values[i].Has(missed) {
			meant = true
		}
		pg.values[i].Add(missed, meant, m.value)
	}
}

// takeValues adds what a target's page counts, and what it has counted since it was read last.
func (s *pages) takeValues(in []source.Arm, id string, now []source.Values, known bool) {
	last, had := s.values[id]
	s.values[id] = now
	for i := range now {
		for _, a := range in {
			s.seen[a].values[i].Join(now[i])
			if a != ownArm && known && had {
				s.grew.Of[i][a].Join(now[i].Since(last[i]))
			}
		}
	}
}

// addValues keeps a part as add does. Its parts are few.
func (k *State) addValues(part ValuesPart, span time.Duration, from time.Time) {
	if len(part.Of) == 0 {
		return
	}
	parts := slices.Clone(k.Values)
	if n := len(parts); n > 0 && part.At.Sub(parts[n-1].From) <= span && len(parts[n-1].Of) == len(part.Of) {
		parts[n-1] = parts[n-1].join(part)
	} else {
		parts = append(parts, part)
	}
	k.Values = slices.DeleteFunc(parts, func(p ValuesPart) bool { return !p.At.After(from) })
}

// join is a part that covers both.
func (p ValuesPart) join(next ValuesPart) ValuesPart {
	p.At, p.Of = next.At, slices.Clone(p.Of)
	for i := range p.Of {
		for a := range p.Of[i] {
			sum := p.Of[i][a].Clone()
			sum.Join(next.Of[i][a])
			p.Of[i][a] = sum.Most()
		}
	}
	return p
}

// Breakdown is by the pages themselves before the stage, and then by what they have counted since.
func (s *pages) Breakdown(
	ctx context.Context, bad, total string, a source.Arm, w source.Window,
) (all source.Values, r source.Reading) {
	i := slices.IndexFunc(s.asked.breakdowns, func(k breakdown) bool { return k.bad == bad && k.total == total })
	switch {
	case i < 0:
		return source.Values{}, source.Reading{}
	case s.sums != nil: // of a baseline
		all.Join(s.seen[a].values[i])
	default:
		for _, p := range s.kept.Values {
			if p.At.After(w.From) && i < len(p.Of) {
				all.Join(p.Of[i][a])
			}
		}
	}
	if !s.asked.breakdowns[i].whole {
		if r = s.Count(ctx, total, a, w, source.EmptyIsUnknown); r.Verdict != "" {
			return source.Values{}, r
		}
		all.Total = r.Value
	}
	return all.Most(), source.Reading{Query: bad}
}
