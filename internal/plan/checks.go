package plan

import (
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/spec"
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

// means refuses checks of means in stages with too few targets for them to be ever
// decided.
func (c *cutter) means() {
	for i, check := range c.spec.Health.Checks {
		if !check.Means() || check.Advisory {
			continue
		}
		for j := range c.stages {
			st := c.stages[j]
			few := c.tooFew(check, j, st.From, st.To)
			if few == "" {
				continue
			}
			expected := fmt.Sprintf("no stage of %d targets has enough", c.total)
			for to := st.From + 1; to <= min(c.total, st.From+2*judge.MostTargets); to++ {
				if c.tooFew(check, j, st.From, to) == "" {
					expected = fmt.Sprintf("expected it to reach at least %d", to)
					break
				}
			}
			c.errs = append(c.errs, &CheckError{i, "value", fmt.Sprintf(
				"stage %s has %s; %s, or let the check be advisory, or falseRollbackRate larger", c.spec.Stages[j].Name, few, expected,
			)})
			break
		}
	}
}

// tooFew says how many more targets a stage would have to reach for a check of means;
// empty if none.
func (c *cutter) tooFew(check spec.Check, stage, from, to int) string {
	h := c.spec.Health
	of := judge.MeansCriteria{Drop: -1, Rise: -1}
	if check.Drop != nil {
		of.Drop = float64(*check.Drop)
	}
	if check.Rise != nil {
		of.Rise = float64(*check.Rise)
	}
	of.Alpha, of.Every = h.Budget(check.Name, c.spec.JudgedStages()), h.Every.Std()
	of.Bake = max(h.Every.Std(), c.spec.Stages[stage].Bake.Std()-h.Warmup.Std())
	exposed, control := to, c.total-to
	if of.Before = check.Against != spec.AgainstControl || control == 0; of.Before {
		control = 0
	}
	if of.Before || promql.OnlyCohort(check.Value) {
		exposed = to - from // of the others nobody knows what they showed before
	}
	if source := c.kinds.Source(h); source != nil && source.Traits().Sample > 0 {
		most := source.Traits().Sample
		exposed, control = min(exposed, most), min(control, most)
	}
	return of.Missing(exposed, control)
}
