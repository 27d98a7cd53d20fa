// Package plan cuts a fleet into the cohorts of a rollout. It is a pure function of the spec and
// the fleet: the same input always gives the same plan.
package plan

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// Plan is everything an activity needs to know of a rollout. It is stored by digest; only the
// digest travels through Temporal.
type Plan struct {
	Spec spec.Spec `json:"spec"`
	// Order holds every target of the fleet, in the order of exposure. A cohort is a contiguous run
	// of it.
	Order []fleet.Target `json:"order"`
	// Stages are parallel to Spec.Stages.
	Stages []Stage `json:"stages"`
}

// Stage is one cohort: Order[From:To].
type Stage struct {
	Name string `json:"name"`
	From int    `json:"from"`
	To   int    `json:"to"`
}

// Size is how many targets the stage newly exposes.
func (s Stage) Size() int { return s.To - s.From }

// Exposed are the targets changed when stage i is applied, earlier ones included.
func (p Plan) Exposed(i int) []fleet.Target { return p.Order[:p.Stages[i].To] }

// Cohort are the targets that stage i newly exposes.
func (p Plan) Cohort(i int) []fleet.Target { return p.Order[p.Stages[i].From:p.Stages[i].To] }

// Control are the targets that stage i has not reached.
func (p Plan) Control(i int) []fleet.Target { return p.Order[p.Stages[i].To:] }

// Error says what of a spec does not go with the fleet.
type Error struct {
	// Path is the field to blame, such as "stages[2].reach".
	Path string
	// Message says what is wrong and what was expected.
	Message string
}

// Error names the field and says what is wrong.
func (e *Error) Error() string { return e.Path + ": " + e.Message }

// Encode writes a plan as canonical JSON: the same plan always gives the same bytes.
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

// Decode is the reverse of Encode. It verifies that the stages cut the order into cohorts without a
// gap, so that Cohort, Exposed and Control cannot go astray.
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
