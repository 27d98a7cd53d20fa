package fleet

import (
	"errors"
	"maps"
	"slices"
)

// Check says what is wrong with a target that comes from elsewhere than a fleet file,
// by the rules of one. It does not repeat an address that may hold a password.
func (t Target) Check() error {
	if message := checkID(t.ID); message != "" {
		return errors.New("id: " + message)
	}
	if message := checkAddress(t.Address); message != "" {
		return errors.New("address: " + message)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Labels)) {
		if message := checkLabel(name, t.Labels[name]); message != "" {
			return errors.New("label " + name + ": " + message)
		}
	}
	return nil
}
