package health

import (
	"context"
	"slices"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/sequential"
)

// usual asks for the past of the arm's targets; of those that will be exposed only for
// that of the stage's own, since the others run the release already.
func (p *prometheus) usual(ctx context.Context, expr string, a arm, w window, long, step time.Duration) map[string]float64 {
	about := p.about(expr, a)
	if a == exposed && len(p.binding.Cohort) > 0 {
		about = p.eachCohort
	}
	out := map[string]float64{}
	at := w.at.Truncate(time.Millisecond)
	r := promv1.Range{Start: at.Add(-long + step), End: at, Step: step}
	for values := range slices.Chunk(about.values, matcherSample) {
		query, err := p.fillFor(expr, values, window{from: at.Add(-p.spec.Window.Std()), at: at})
		if err != nil {
			return nil
		}
		matrix, r := p.matrix(ctx, query, r)
		if r.verdict != "" {
			return nil
		}
		for _, series := range matrix {
			id, known := about.ids[string(series.Metric[model.LabelName(p.spec.Identify.Label)])]
			if m := p.mean(series.Values, step); known && m.N > 0 {
				out[id] = m.Mean
			}
		}
	}
	return out
}

// mean is that of the samples that are numbers, and not of an earlier rollout.
func (p *prometheus) mean(samples []model.SamplePair, step time.Duration) (m sequential.Moments) {
	for _, s := range samples {
		if at := s.Timestamp.Time(); during(p.binding.Earlier, at, at.Add(time.Nanosecond), step) {
			continue
		}
		if r := (reading{value: float64(s.Value)}).usable(); r.verdict == "" {
			m = m.Add(r.value)
		}
	}
	return m
}

// usually is what metrics pages show of numbers over some looks: by arm, expression
// and target.
type usually [2]map[string]map[string]sequential.Moments

// add takes what the newest read has shown.
func (u *usually) add(seen [2]sight) {
	for a := range u {
		if u[a] == nil {
			u[a] = map[string]map[string]sequential.Moments{}
		}
		for expr, e := range seen[a].gauges {
			if u[a][expr] == nil {
				u[a][expr] = map[string]sequential.Moments{}
			}
			for id, r := range e.of {
				if r = r.usable(); r.verdict == "" {
					u[a][expr][id] = u[a][expr][id].Add(r.value)
				}
			}
		}
	}
}

// usual is what the looks of the baseline have shown.
func (s *scrape) usual(_ context.Context, expr string, a arm, _ window, _, _ time.Duration) map[string]float64 {
	out := map[string]float64{}
	for id, m := range s.usually[a][expr] {
		out[id] = m.Mean
	}
	return out
}
