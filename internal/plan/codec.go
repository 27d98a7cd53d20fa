package plan

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Encode writes a plan as canonical JSON: the same plan always gives the same
// bytes.
func Encode(p Plan) ([]byte, error) {
	if err := check(p); err != nil {
		return nil, fmt.Errorf("encode plan: %w", err)
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode plan: %w", err)
	}
	return data, nil
}

// Decode is the reverse of Encode. It verifies that the stages cut the order into
// cohorts without a gap, so that Cohort, Exposed and Control cannot go astray.
func Decode(data []byte) (Plan, error) {
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return Plan{}, fmt.Errorf("decode plan: %w", err)
	}
	if err := check(p); err != nil {
		return Plan{}, fmt.Errorf("decode plan: %w", err)
	}
	return p, nil
}

func check(p Plan) error {
	if len(p.Stages) == 0 || len(p.Stages) != len(p.Spec.Stages) {
		return fmt.Errorf("%d stages for the %d of its spec", len(p.Stages), len(p.Spec.Stages))
	}
	next := 0
	for i, st := range p.Stages {
		switch {
		case st.Name != p.Spec.Stages[i].Name:
			return fmt.Errorf("stage %d is %q, but %q in its spec", i, st.Name, p.Spec.Stages[i].Name)
		case st.From != next || st.To <= st.From || st.To > len(p.Order):
			return fmt.Errorf("stage %q is %d..%d, expected to begin at %d and to end by %d", st.Name, st.From, st.To, next, len(p.Order))
		}
		next = st.To
	}
	if next != len(p.Order) {
		return fmt.Errorf("the stages reach %d of %d targets", next, len(p.Order))
	}
	seen := make(map[string]bool, len(p.Order))
	for _, t := range p.Order {
		if t.ID == "" {
			return errors.New("a target has no id")
		}
		if seen[t.ID] {
			return fmt.Errorf("target %q is there twice", t.ID)
		}
		seen[t.ID] = true
	}
	return nil
}
