package plan

import (
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/internal/fleet"
)

// represent refuses a first stage that lacks a value of a label which the spec
// wants represented: what breaks there only would be found by a later, larger one.
func (c *cutter) represent() {
	first := c.order[:c.stages[0].To]
	all := c.fleet.LabelValues()
	shown := fleet.Fleet{Targets: first}.LabelValues()
	for i, label := range c.spec.Represent {
		values := all[label]
		missing := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return slices.Contains(shown[label], v) })
		switch name := c.stages[0].Name; {
		case len(values) == 0:
			c.errs = append(c.errs, &RepresentError{i, fmt.Sprintf("no target has a label %q, expected one of %s", label, describe(all))})
		case len(missing) > 0:
			c.errs = append(c.errs, &RepresentError{i, fmt.Sprintf(
				"stage %q has no target with %s %s: it needs at least %d targets; spread: %s takes them evenly",
				name, label, cutList(missing), len(values), label)})
		}
	}
}
