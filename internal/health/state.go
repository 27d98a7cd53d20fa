package health

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
)

// State is what an Evaluator must remember between looks, small enough for a
// heartbeat. The zero value remembers nothing.
type State struct {
	// At is when the newest look judged.
	At time.Time `json:"at,omitzero"`
	// Streaks counts consecutive breaches by check.
	Streaks map[string]int `json:"streaks,omitempty"`
	// Comparisons is what checks that compare have seen, by name.
	Comparisons map[string]CompareState `json:"comparisons,omitempty"`
	// Means is the same of checks that compare means.
	Means map[string]judge.MeansState `json:"means,omitempty"`
	// Source is what the source keeps; empty for one that can be asked again.
	Source json.RawMessage `json:"source,omitempty"`
}

// State is what a later Evaluator of the same stage goes on from. It is a copy: later
// looks do not change it.
func (m *Evaluator) State() State {
	s := State{At: m.last, Streaks: maps.Clone(m.streaks)}
	if kept, ok := m.source.(source.Memory); ok {
		s.Source = kept.State()
	}
	for name, c := range m.parts() {
		if s.Comparisons == nil {
			s.Comparisons = map[string]CompareState{}
		}
		s.Comparisons[name] = c.state()
	}
	for name, c := range m.means {
		if s.Means == nil {
			s.Means = map[string]judge.MeansState{}
		}
		s.Means[name] = c.judge.State()
	}
	return s
}

// Restore goes on from an earlier Evaluator's state. A state of other checks is an
// error.
func (m *Evaluator) Restore(s State) error {
	m.last = s.At
	for check, n := range s.Streaks {
		m.streaks[check] = max(0, n)
	}
	parts := m.parts()
	for name, kept := range s.Comparisons {
		if c, ok := parts[name]; !ok || !c.restore(kept) {
			return otherCheck(name)
		}
	}
	for name, kept := range s.Means {
		if c := m.means[name]; c == nil || !c.judge.Restore(kept) {
			return otherCheck(name)
		}
	}
	if kept, ok := m.source.(source.Memory); ok && len(s.Source) > 0 {
		return kept.Restore(s.Source)
	}
	return nil
}

// otherCheck refuses a state.
func otherCheck(name string) error {
	return fmt.Errorf("the state of check %q is one of another check", name)
}
