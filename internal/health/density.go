package health

import (
	"context"

	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/promql"
)

// density is how many samples per second the source has of the series that it has
// most of, among those that an expression reads of the exposed targets: how much of
// the window it was there to see. 0 means that it does not tell.
func (p *prometheus) density(ctx context.Context, expr string, w window) float64 {
	query, err := p.fill(expr, exposed, w)
	if err != nil {
		return 0
	}
	selectors, err := promql.Selectors(query)
	if err != nil {
		return 0
	}
	most := 0.0
	for _, s := range selectors {
		r := p.query(ctx, "max(count_over_time("+s+"["+model.Duration(w.length()).String()+"]))", w.at).usable()
		if r.verdict == "" {
			most = max(most, r.value)
		}
	}
	return most / w.length().Seconds()
}

// A page that cannot be read is known to be missing: reading.covered tells.
func (s *scrape) density(context.Context, string, window) float64 { return 0 }

// whollyCovered is the share of the usual samples that counts as all of them: at
// the edges of a short window some are missing by chance.
const whollyCovered = 0.9

// covered is the share of the window that the source was there to see, by how many
// samples it has now and had before the stage; 0 when that is all of it, or unknown.
// Without a control nothing else tells missing traffic from missing samples.
func (m *Meter) covered(ctx context.Context, w window) float64 {
	usual := m.binding.Before.Density
	if usual <= 0 || len(m.binding.Control) > 0 {
		return 0
	}
	const least = 0.001 // 0 would be unknown
	if c := m.source.density(ctx, m.spec.Traffic, w) / usual; c < whollyCovered {
		return max(least, c)
	}
	return 0
}
