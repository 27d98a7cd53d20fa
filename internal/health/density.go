package health

import (
	"context"

	"github.com/sluicehq/sluice/internal/health/source"
)

// whollyCovered is the share of the usual samples that counts as all of them: at
// the edges of a short window some are missing by chance.
const whollyCovered = 0.9

// covered is the share of the window that the source was there to see, by how many
// samples it has now and had before the stage; 0 when that is all of it, or unknown.
// Without a control nothing else tells missing traffic from missing samples.
func (m *Stage) covered(ctx context.Context, w source.Window) float64 {
	usual := m.binding.Before.Density
	if usual <= 0 || len(m.binding.Control) > 0 {
		return 0
	}
	const least = 0.001 // 0 would be unknown
	if c := source.HistoryOf(m.source).Density(ctx, m.spec.Traffic, w) / usual; c < whollyCovered {
		return max(least, c)
	}
	return 0
}
