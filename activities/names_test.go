package activities

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every activity is registered, and none has a new name: histories have the old one.
func TestNames(t *testing.T) {
	var methods []string
	for m := range reflect.TypeFor[*Activities]().Methods() {
		methods = append(methods, m.Name)
	}
	names := slices.Collect(maps.Keys((&Activities{}).byName()))
	require.ElementsMatch(t, methods, append(names, "Register"))
	require.ElementsMatch(t, names, []string{
		"Plan", "Validate", "Preflight", "Observe", "Baseline", "Apply", "Watch", "Gate", "FindStragglers", "Relist", "Revert", "Recover", "Notify", "Inherit", "Survey", "Prepare", "Settle", "Drill", "Suspects",
		"StartRollout", "Compare", "LookAfter", "BeforeReset",
	})
}
