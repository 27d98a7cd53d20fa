// Package fleet holds the inventory: the places where a unit runs.
package fleet

import (
	"errors"
	"maps"
	"slices"
)

// Target is one place where a unit runs: a host, a site, a cluster.
type Target struct {
	// ID is unique in its fleet, 1 to 128 characters of letters, digits, '.', '_', ':', '@', '/'
	// and '-', starting with a letter or a digit.
	ID string `yaml:"id" json:"id"`
	// Address is what drivers and sources fill into {{address}}, usually host:port; a path may
	// follow.
	Address string `yaml:"address" json:"address"`
	// Labels are used to choose targets (where, spread) and in templates.
	Labels map[string]string `yaml:"labels,omitempty" json:"labels,omitempty"`
}

// Check says what is wrong with a target that comes from elsewhere than a fleet file, by the rules
// of one. It does not repeat an address that may hold a password.
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

// Matches says whether the target has all the labels of where, with the same values. An empty where
// matches every target; a label that the target lacks matches nothing, not even "".
func (t Target) Matches(where map[string]string) bool {
	for name, want := range where {
		if got, ok := t.Labels[name]; !ok || got != want {
			return false
		}
	}
	return true
}

// Fleet is an inventory. Its targets are sorted by id and unique.
type Fleet struct {
	Targets []Target `yaml:"targets" json:"targets"`
}

// IDs are the ids of targets, in their order.
func IDs(ts []Target) []string {
	out := make([]string, len(ts))
	for i, t := range ts {
		out[i] = t.ID
	}
	return out
}

// Set answers which ids are among some.
func Set(ids []string) map[string]bool {
	out := make(map[string]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out
}

// LabelValues lists every label of the fleet with its values, sorted and without repetition.
func (f Fleet) LabelValues() map[string][]string {
	values := map[string][]string{}
	for _, t := range f.Targets {
		for name, value := range t.Labels {
			values[name] = append(values[name], value)
		}
	}
	for name, all := range values {
		slices.Sort(all)
		values[name] = slices.Compact(all)
	}
	return values
}
