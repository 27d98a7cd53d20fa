package scrape

import (
	"context"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/sequential"
)

// BaselineLooks is what every look of the baseline added.
func (s *pages) BaselineLooks(expr string, a source.Arm) []float64 {
	i := slices.Index(s.exprs, expr)
	if i < 0 {
		return nil
	}
	var out []float64
	for _, p := range s.baselooks {
		out = append(out, p.Counts[i][a])
	}
	return out
}

// baselineNumbers is what metrics pages show of numbers over some looks: by arm, expression and
// target.
type baselineNumbers [2]map[string]map[string]sequential.Stats

// add takes what the newest read has shown.
func (u *baselineNumbers) add(seen [arms]sight) {
	for a := range u {
		if u[a] == nil {
			u[a] = map[string]map[string]sequential.Stats{}
		}
		for expr, e := range seen[a].gauges {
			if u[a][expr] == nil {
				u[a][expr] = map[string]sequential.Stats{}
			}
			for id, r := range e.of {
				if r = r.Usable(); r.Verdict == "" {
					u[a][expr][id] = u[a][expr][id].Add(r.Value)
				}
			}
		}
	}
}

// BaselineMeans is what the looks of the baseline have shown.
func (s *pages) BaselineMeans(_ context.Context, expr string, a source.Arm, _ source.Window, _, _ time.Duration) map[string]float64 {
	out := map[string]float64{}
	for id, m := range s.numbers[a][expr] {
		out[id] = m.Mean
	}
	return out
}
