package fleet

import (
	"maps"
	"slices"
)

// Matches says whether the target has all the labels of where, with the same
// values. An empty where matches every target; a label that the target lacks
// matches nothing, not even "".
func (t Target) Matches(where map[string]string) bool {
	for name, want := range where {
		if got, ok := t.Labels[name]; !ok || got != want {
			return false
		}
	}
	return true
}

// LabelValues lists every label of the fleet with its values, sorted and without
// repetition.
func (f Fleet) LabelValues() map[string][]string {
	sets := map[string]map[string]bool{}
	for _, t := range f.Targets {
		for name, value := range t.Labels {
			if sets[name] == nil {
				sets[name] = map[string]bool{}
			}
			sets[name][value] = true
		}
	}
	values := make(map[string][]string, len(sets))
	for name, set := range sets {
		values[name] = slices.Sorted(maps.Keys(set))
	}
	return values
}
