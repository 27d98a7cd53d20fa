package health

import (
	"context"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/spec"
)

// Rerun is what Replay is, of a check that compares means.
type Rerun struct {
	Check    string
	Criteria judge.Criteria
	// Span is how long a time was read; 0 where nothing was.
	Span time.Duration
	// Judge is what a rollout would have said, had something been changed so long after
	// the beginning. Every moment needs its past (see PastSpan) and its bake in the span.
	// It is safe for concurrent use, and nil where Missing says why nothing was read.
	Judge   func(at time.Duration) judge.Outcome
	Missing string
}

// Reruns reads the past of a stage's checks of means from a Prometheus,
// a look every Health.Every. Its error is as of Replays.
func Reruns(ctx context.Context, h spec.Health, b Binding, d Deps, from, to time.Time) ([]Rerun, error) {
	m, err := openPast(h, b, d, to)
	if err != nil {
		return nil, err
	}
	var out []Rerun
	for _, c := range m.spec.Checks {
		r := Rerun{Check: c.Name}
		switch every := m.spec.Every.Std(); {
		case m.means[c.Name] != nil:
			part := m.means[c.Name]
			criteria := m.meansCriteria(c, part.alone)
			looks := m.numbers(ctx, c, part, from, to)
			r.Criteria, r.Span = criteria.Criteria, time.Duration(len(looks))*every
			r.Judge = rerun(looks, every, criteria.Bake, criteria.Every, func(l *judge.Numbers, at time.Duration) { l.At = at }, func(l []judge.Numbers) judge.Outcome { return judge.RunMeans(criteria, l) })
		default:
			continue
		}
		if r.Span == 0 {
			r.Judge, r.Missing = nil, "the source knows nothing of that time"
		}
		out = append(out, r)
	}
	return out, ctx.Err()
}

// rerun judges the looks around a moment, which place puts at their time since then.
func rerun[L any](looks []L, every, bake, pace time.Duration, place func(*L, time.Duration), run func([]L) judge.Outcome) func(time.Duration) judge.Outcome {
	long, _ := PastSpan(bake, pace)
	return func(at time.Duration) judge.Outcome {
		first, end := max(0, int((at-long)/every)), min(len(looks), int((at+bake)/every))
		around := slices.Clone(looks[first:max(first, end)])
		for i := range around {
			place(&around[i], time.Duration(first+i+1)*every-at)
		}
		return run(around)
	}
}

// numbers are those of every target in the past, look by look; none where the source
// knows nothing.
func (m *Evaluator) numbers(ctx context.Context, c spec.Check, part *meansCheck, from, to time.Time) []judge.Numbers {
	every := m.spec.Every.Std()
	out := make([]judge.Numbers, int(to.Sub(from)/every))
	known := false
	for _, a := range source.Arms(part.alone) {
		if len(part.places[a]) == 0 {
			continue
		}
		rows, ok := source.HistoryOf(m.source).Numbers(ctx, c.Value, a, part.places[a], from, len(out), every)
		known = known || ok
		for i, row := range rows {
			if a == source.Exposed {
				out[i].Exposed = row
			} else {
				out[i].Control = row
			}
		}
	}
	if !known {
		return nil
	}
	return out
}
