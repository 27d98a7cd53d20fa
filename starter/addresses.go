package main

import (
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// addresses says which fields of a spec cannot reach targets, each once, by the first
// target for which that holds: a whole fleet has the same mistake more often than not.
func addresses(s spec.Spec, kinds spec.Kinds, f fleet.Fleet, at func(id, message string) error) error {
	var errs []error
	told := map[string]bool{} // targets
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
		if message == "" || told[first] {
			continue
		}
		told[first] = true
		if more > 0 {
			message += fmt.Sprintf(" (and so with %s)", plural(more, "more target"))
		}
		errs = append(errs, at(first, message))
	}
	return errors.Join(errs...)
}
