package plan

import (
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/internal/fleet"
)

// CheckError says what of a health check does not go with the fleet.
type CheckError struct {
	// Check is the index in Spec.Health.Checks.
	Check int
	// Field is the field to blame.
	Field string
	// Message says what is wrong and what was expected.
	Message string
}

// Error names the check by position and says what is wrong.
func (e *CheckError) Error() string {
	return fmt.Sprintf("health.checks[%d].%s: %s", e.Check, e.Field, e.Message)
}

// checks refuses labels that no target has, since nothing would be told apart by them.
func (c *cutter) checks(targets []fleet.Target) {
	for i, check := range c.spec.Health.Checks {
		for _, by := range []struct{ field, label string }{{"group_by", check.GroupBy}, {"match", check.Match}} {
			has := func(t fleet.Target) bool { return t.Labels[by.label] != "" }
			if by.label != "" && !slices.ContainsFunc(targets, has) {
				c.errs = append(c.errs, &CheckError{i, by.field, fmt.Sprintf("no target has a label %q", by.label)})
			}
		}
	}
}
