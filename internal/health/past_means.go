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

// numbers are those of every target in the past, look by look; none where the source knows nothing.
func (m *meansCheck) numbers(ctx context.Context, from, to time.Time) []judge.Numbers {
	every := m.spec.Every.Std()
	out, known := m.rows(ctx, from, int(to.Sub(from)/every), every)
	if known == 0 {
		return nil
	}
	return out
}

// rows are the numbers of every target in some looks of the past, and of how many arms the source
// knows them.
func (m *meansCheck) rows(ctx context.Context, from time.Time, looks int, step time.Duration) (out []judge.Numbers, known int) {
	out = make([]judge.Numbers, looks)
	for _, a := range source.Arms(m.alone) {
		if len(m.places[a]) == 0 {
			continue
		}
		rows, ok := source.HistoryOf(m.source).Numbers(ctx, m.check.Value, a, m.places[a], from, looks, step)
		if ok {
			known++
		}
		for i, row := range rows {
			if a == source.Exposed {
				out[i].Exposed = row
			} else {
				out[i].Control = row
			}
		}
	}
	return out, known
}
