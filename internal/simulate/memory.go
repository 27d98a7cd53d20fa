package simulate

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
)

// memory is the source of a world's numbers that has no past, and keeps what it saw before a stage.
type memory struct {
	*numbers
	// baseline is when that was, and own the same source of the stage's own targets.
	baseline *source.Window
	own      *memory
}

func newMemory(n *numbers) *memory {
	m := &memory{numbers: n, baseline: new(source.Window)}
	m.own = m
	if len(n.scope.Cohort) > 0 && len(n.scope.Cohort) < len(n.scope.Exposed) {
		own := *n
		own.scope.Exposed = own.scope.Cohort
		m.own = &memory{numbers: &own, baseline: m.baseline}
		m.own.own = m.own
	}
	return m
}

// Baseline is as long as the real source measures.
func (m *memory) Baseline(ctx context.Context, at time.Time) (w source.Window, err error) {
	w, err = m.numbers.Baseline(ctx, at)
	*m.baseline = w
	return w, err
}

// BaselineLooks are an arm's events in the looks of the baseline.
func (m *memory) BaselineLooks(expr string, a source.Arm) (out []float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.goOn()
	i, wrong := m.stream(expr, m.baseline.At)
	step := m.spec.Every.Std()
	if wrong.Verdict != "" || step <= 0 {
		return nil
	}
	for at := m.baseline.From.Add(step); !at.After(m.baseline.At) && len(out) < source.PastLooks; at = at.Add(step) {
		sum := 0.0
		for _, t := range m.about(expr, a) {
			if h := m.byID[t.ID]; h != nil {
				sum += m.counted(h, i, at) - m.counted(h, i, at.Add(-step))
			}
		}
		out = append(out, math.Round(sum))
	}
	return out
}

// Own is of the stage's own targets.
func (m *memory) Own() source.Source { return m.own }

// Shown tells nothing of single targets.
func (*memory) Shown() source.Shown { return nil }

// State is the baseline.
func (m *memory) State() json.RawMessage {
	data, err := json.Marshal(m.baseline)
	if err != nil { // two times that JSON has
		return nil
	}
	return data
}

// Restore takes the baseline over.
func (m *memory) Restore(data json.RawMessage) error { return json.Unmarshal(data, m.baseline) }
