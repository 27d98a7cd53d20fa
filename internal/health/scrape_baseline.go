package health

import (
	"context"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/sequential"
)

// looked is what every look of the baseline added.
func (s *scrape) looked(expr string, a arm) []float64 {
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
