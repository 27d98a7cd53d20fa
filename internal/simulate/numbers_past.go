package simulate

import (
	"context"
	"math"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
)

// history is the source of a world's numbers that can be asked about the past.
type history struct{ *numbers }

// Past are the events before, look by look.
func (n *history) Past(
	_ context.Context, expr string, a source.Arm, at time.Time, looks int, step time.Duration,
) ([]float64, source.Reading) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.goOn()
	i, wrong := n.stream(expr, n.now())
	if wrong.Verdict != "" {
		return nil, wrong
	}
	out := make([]float64, looks)
	for _, t := range n.before(expr, a) {
		h := n.byID[t.ID]
		if h == nil {
			continue
		}
		was := n.counted(h, i, at.Add(-time.Duration(looks)*step))
		for j := range out {
			is := n.counted(h, i, at.Add(-time.Duration(looks-1-j)*step))
			out[j], was = out[j]+is-was, is
		}
	}
	return out, source.Reading{Query: expr}
}

// Numbers are those of targets, look by look.
func (n *history) Numbers(
	_ context.Context, expr string, _ source.Arm, ids []string, from time.Time, looks int, step time.Duration,
) ([][]float64, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	num, known := n.asks.numbers[expr]
	if !known || n.away(n.now()) {
		return nil, false
	}
	rows := make([][]float64, looks)
	for i := range rows {
		rows[i] = make([]float64, len(ids))
		for j, id := range ids {
			rows[i][j] = math.NaN()
			if h := n.byID[id]; h != nil {
				rows[i][j] = n.numberAt(num, h, from.Add(time.Duration(i+1)*step))
			}
		}
	}
	return rows, true
}

// Density is not told: the source misses nothing.
func (*history) Density(context.Context, string, source.Window) float64 { return 0 }

// Misspelt finds nothing wrong: that is what plan, and the first stage of a real rollout, look for.
func (*history) Misspelt(context.Context, string, time.Time) string { return "" }
