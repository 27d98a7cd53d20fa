package health

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
)

// State is what an Evaluator must remember between looks, small enough for a heartbeat. The zero
// value remembers nothing.
type State struct {
	// At is when the newest look judged.
	At time.Time `json:"at,omitzero"`
	// Streaks counts consecutive breaches by check.
	Streaks map[string]int `json:"streaks,omitempty"`
	// Since is when the first of them was, by check.
	Since map[string]time.Time `json:"since,omitempty"`
	// LookCounts counts looks and breaches by check.
	LookCounts map[string]LookCount `json:"tallies,omitempty"`
	// Checks is what checks that add up have seen, by name.
	Checks map[string]json.RawMessage `json:"checks,omitempty"`
	// Source is what the source keeps; empty for one that can be asked again.
	Source json.RawMessage `json:"source,omitempty"`
}

// State is what a later Evaluator of the same stage goes on from. It is a copy: later looks do not
// change it. What cannot be written is left out, and seen anew.
func (m *Evaluator) State() State {
	s := State{At: m.last, Streaks: maps.Clone(m.streaks), Since: maps.Clone(m.since), LookCounts: maps.Clone(m.lookCounts)}
	if kept, ok := m.stage.source.(source.Memory); ok {
		s.Source = kept.State()
	}
	for name, k := range m.keepers() {
		raw, err := k.state()
		if err != nil {
			continue
		}
		keep(&s.Checks, name, raw)
	}
	return s
}

// Restore goes on from an earlier Evaluator's state. A state of other checks is an error.
func (m *Evaluator) Restore(s State) error {
	m.last = s.At
	for check, n := range s.Streaks {
		m.streaks[check] = max(0, n)
		m.since[check] = s.Since[check]
	}
	maps.Copy(m.lookCounts, s.LookCounts)
	keepers := m.keepers()
	for name, raw := range s.Checks {
		k, ok := keepers[name]
		if !ok {
			return fmt.Errorf("check %q: %w", name, errOtherCheck)
		}
		if err := k.restore(raw); err != nil {
			return fmt.Errorf("check %q: %w", name, err)
		}
	}
	if kept, ok := m.stage.source.(source.Memory); ok && len(s.Source) > 0 {
		return kept.Restore(s.Source)
	}
	return nil
}

// errOtherCheck refuses a state.
var errOtherCheck = errors.New("the state is one of another check")
