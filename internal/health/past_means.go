package health

import (
	"context"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
)

// replay reads every target's numbers of the past.
func (m *meansCheck) replay(ctx context.Context, from, to time.Time) []Replay {
	criteria, every := m.criteria(), m.spec.Every.Std()
	looks := m.numbers(ctx, from, to)
	r := Replay{Check: m.check.Name, Criteria: criteria.Criteria, Span: time.Duration(len(looks)) * every}
	if len(looks) == 0 {
		r.Missing = "the source knows nothing of that time"
		return []Replay{r}
	}
	long, _ := PastSpan(criteria.Bake, criteria.Every)
	r.Judge = func(at time.Duration) judge.Outcome {
		first, end := max(0, int((at-long)/every)), min(len(looks), int((at+criteria.Bake)/every))
		around := slices.Clone(looks[first:max(first, end)])
		for i := range around {
			around[i].At = time.Duration(first+i+1)*every - at
		}
		return judge.RunMeans(criteria, around)
	}
	return []Replay{r}
}

// numbers are those of every target in the past, look by look; none where the source
// knows nothing.
func (m *meansCheck) numbers(ctx context.Context, from, to time.Time) []judge.Numbers {
	every := m.spec.Every.Std()
	out := make([]judge.Numbers, int(to.Sub(from)/every))
	known := false
	for _, a := range source.Arms(m.alone) {
		if len(m.places[a]) == 0 {
			continue
		}
		rows, ok := source.HistoryOf(m.source).Numbers(ctx, m.check.Value, a, m.places[a], from, len(out), every)
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
