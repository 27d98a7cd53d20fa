package main

import (
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// addresses finds the fields of a spec that cannot reach a target. Of each it names the
// first target and counts the others: most often a whole fleet has the same mistake.
func addresses(s spec.Spec, kinds spec.Kinds, f fleet.Fleet, at func(id, message string) error) error {
	var errs []error
	named := map[string]bool{} // targets
	for _, use := range s.AddressUses(kinds) {
		first, message, more := "", "", 0
		for _, t := range f.Targets {
			switch m := use.Check(t.ID, t.Address, t.Labels); {
			case m == "":
			case message == "":
				first, message = t.ID, m
			default:
				more++
			}
		}
		if message == "" || named[first] {
			continue
		}
		named[first] = true
		if more > 0 {
			message += fmt.Sprintf(" (%s: the same)", plural(more, "more target"))
		}
		errs = append(errs, at(first, message))
	}
	return errors.Join(errs...)
}
