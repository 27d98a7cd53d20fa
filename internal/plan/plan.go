// Package plan cuts a fleet into the cohorts of a rollout. It is a pure function
// of the spec and the fleet: the same input always gives the same plan.
package plan

import (
	"fmt"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// Plan is everything an activity needs to know of a rollout. It is stored by
// digest; only the digest travels through Temporal.
type Plan struct {
	Spec spec.Spec `json:"spec"`
	// Order holds every target of the fleet, in the order of exposure. A cohort
	// is a contiguous run of it.
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

// StageError says why one stage cannot be cut.
type StageError struct {
	// Stage is the index in Spec.Stages.
	Stage int
	// Field is the field to blame: "count", "reach", "where" or "spread".
	Field string
	// Message says what is wrong and what was expected.
	Message string
}

// Error names the stage by position and says what is wrong.
func (e *StageError) Error() string {
	return fmt.Sprintf("stages[%d].%s: %s", e.Stage, e.Field, e.Message)
}

// RepresentError says that the first stage lacks values of a label that it must
// show.
type RepresentError struct {
	// Index is that of the label in Spec.Represent.
	Index int
	// Message says what is missing and what was expected.
	Message string
}

// Error names the label by position and says what is missing.
func (e *RepresentError) Error() string { return fmt.Sprintf("represent[%d]: %s", e.Index, e.Message) }
