package health

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// maxGroups bounds how many groups, and how many strata, a check may make of a fleet: each asks
// queries of its own, and its state travels with every heartbeat.
const maxGroups = 20

// openStrata readies sources for the targets that a check compares with each other.
func (m *comparisonCheck) openStrata(b Binding, alone bool) ([]stratum, error) {
	c := m.check
	if c.GroupBy == "" && c.Match == "" {
		s, err := m.sourceFor(alone)
		whom := m.binding
		if alone && c.Objective == nil {
			whom = whom.own()
		}
		return []stratum{{source: s, scope: whom.Scope}}, err
	}
	var out []stratum
	kinds := b.split(c.Match)
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		kind := kinds[name]
		if len(kind.Control) == 0 && !alone {
			continue // nothing of its kind is left: the others tell
		}
		if alone && c.Objective == nil {
			kind = kind.own()
		}
		s, err := m.open(kind.Scope)
		if err != nil {
			return nil, err
		}
		out = append(out, stratum{source: s, scope: kind.Scope})
	}
	if len(out) > maxGroups {
		return nil, fmt.Errorf("the label %s has %d values, expected at most %d", c.Match, len(out), maxGroups)
	}
	return out, nil
}

// sourceFor is where a check reads. What a stage is compared with is never what the release did to
// targets of earlier stages. Without a control the stage's own targets are compared with
// themselves, and so are they with a control where the source has no past: of the other exposed
// ones nothing tells what they were like before they ran the release.
func (m *comparisonCheck) sourceFor(alone bool) (source.Source, error) {
	own := m.binding.own()
	if m.check.Objective != nil || len(own.Exposed) == len(m.binding.Exposed) {
		return m.source, nil
	}
	if kept, ok := m.source.(source.Memory); ok {
		return kept.Own(), nil
	}
	if !alone {
		return m.source, nil
	}
	return m.open(own.Scope)
}

// before is where a stratum is read as it was before the rollout. A source leaves out of the time
// before a stage what earlier stages have exposed, as they run the release already. But all of them
// are what is judged, and may be unlike the stage's own: older, or in another region. Before the
// rollout none of them ran it.
func (m *comparisonCheck) before(ctx context.Context, st stratum, at time.Time) (source.Source, error) {
	_, remembers := st.source.(source.History)
	_, asked := st.source.Coverage(cmp.Or(m.check.Total, histogramOf(m.check)), source.Exposed)
	if !remembers || len(st.scope.Cohort) == 0 || len(st.scope.Cohort) == asked {
		return st.source, nil
	}
	whole := st.scope
	whole.Cohort = whole.Exposed
	s, err := m.open(whole)
	if err == nil {
		_, err = s.Baseline(ctx, at)
	}
	return s, err
}

func histogramOf(c spec.Check) string {
	if c.Slow == nil {
		return ""
	}
	return c.Slow.Histogram
}

// own is the binding without the targets that earlier stages have exposed, if the stage has some of
// its own.
func (b Binding) own() Binding {
	if len(b.Cohort) > 0 {
		b.Exposed = b.Cohort
	}
	return b
}

// matched says that some target that was not reached yet has the same value of a label as one that
// was.
func (b Binding) matched(label string) bool {
	for _, kind := range b.split(label) {
		if len(kind.Control) > 0 {
			return true
		}
	}
	return false
}

// split tells the targets of a binding apart by a label's value; without a label they are all of
// one kind. Kinds of which nothing is exposed are left out.
func (b Binding) split(label string) map[string]Binding {
	if label == "" {
		return map[string]Binding{"": b}
	}
	out := map[string]Binding{}
	for i, targets := range [3][]fleet.Target{b.Exposed, b.Cohort, b.Control} {
		for _, t := range targets {
			value := t.Labels[label]
			kind, known := out[value]
			if !known && i > 0 {
				continue
			}
			if !known {
				kind = b
				kind.Exposed, kind.Cohort, kind.Control = nil, nil, nil
			}
			into := [3]*[]fleet.Target{&kind.Exposed, &kind.Cohort, &kind.Control}[i]
			*into = append(*into, t)
			out[value] = kind
		}
	}
	return out
}

// sources are those of groups and strata.
func (m *comparisonCheck) sources() []source.Source {
	var out []source.Source
	for _, part := range m.parts {
		for _, st := range part.strata {
			if st.source != m.source {
				out = append(out, st.source)
			}
		}
	}
	return out
}

// state is that of every group.
func (m *comparisonCheck) state() (json.RawMessage, error) {
	out := map[string]CompareState{}
	for _, part := range m.parts {
		s := CompareState{ComparisonState: part.judge.State()}
		for _, st := range part.strata {
			s.Strata = append(s.Strata, st.state)
		}
		out[part.group] = s
	}
	return json.Marshal(out)
}

func (m *comparisonCheck) restore(raw json.RawMessage) error {
	var kept map[string]CompareState
	if err := json.Unmarshal(raw, &kept); err != nil {
		return err
	}
	if len(kept) != len(m.parts) {
		return errOtherCheck
	}
	for _, part := range m.parts {
		s, ok := kept[part.group]
		if !ok || len(s.Strata) != len(part.strata) || !part.judge.Restore(s.ComparisonState) {
			return errOtherCheck
		}
		for i, st := range s.Strata {
			part.strata[i].state = st
		}
	}
	return nil
}
