package health

import (
	"context"
	"math"
	"slices"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

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

// maxReread is how many numbers are asked for at once, about.
const maxReread = 40_000

// numbers are those of every target in the past, look by look; none where the source
// knows nothing.
func (m *Meter) numbers(ctx context.Context, c spec.Check, part *meansCheck, from, to time.Time) []judge.Numbers {
	p, ok := m.source.(*prometheus)
	if !ok {
		return nil
	}
	every := m.spec.Every.Std()
	out := make([]judge.Numbers, int(to.Sub(from)/every))
	known := false
	for _, a := range arms(part.alone) {
		places := part.places[a]
		if len(places) == 0 {
			continue
		}
		step := max(1, min(maxReplay, maxReread/len(places)))
		for first := 0; first < len(out); first += step {
			n := min(step, len(out)-first)
			r := promv1.Range{Start: from.Add(time.Duration(first+1) * every), End: from.Add(time.Duration(first+n) * every), Step: every}
			known = p.numbers(ctx, c.Value, a, places, r, out[first:first+n]) || known
		}
	}
	if !known {
		return nil
	}
	return out
}

// numbers fills looks with an arm's numbers, and answers whether there were any.
func (p *prometheus) numbers(ctx context.Context, expr string, a arm, places []string, r promv1.Range, into []judge.Numbers) bool {
	about := p.about(expr, a)
	at := make(map[string]int, len(places))
	for i, id := range places {
		at[id] = i
	}
	var values []string
	for _, v := range about.values {
		if _, asked := at[about.ids[v]]; asked {
			values = append(values, v)
		}
	}
	for i := range into {
		row := slices.Repeat([]float64{math.NaN()}, len(places))
		if a == exposed {
			into[i].Exposed = row
		} else {
			into[i].Control = row
		}
	}
	query, err := p.fillFor(expr, values, window{from: r.End.Add(-p.spec.Window.Std()), at: r.End})
	if err != nil {
		return false
	}
	matrix, read := p.matrix(ctx, query, r)
	if read.verdict != "" {
		return false
	}
	for _, series := range matrix {
		place, ok := at[about.ids[string(series.Metric[model.LabelName(p.spec.Identify.Label)])]]
		if !ok {
			continue
		}
		for _, v := range series.Values {
			i := int(v.Timestamp.Time().Sub(r.Start)+r.Step/2) / int(r.Step)
			if i < 0 || i >= len(into) {
				continue
			}
			row := into[i].Exposed
			if a == control {
				row = into[i].Control
			}
			row[place] = float64(v.Value)
		}
	}
	return true
}
