package health

import (
	"slices"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
)

// few picks n of the exposed targets, first of all of those newly exposed: nothing
// else has looked at them yet.
func (b Binding) few(n int) []fleet.Target {
	if len(b.Exposed) <= n {
		return b.Exposed
	}
	some := slices.Clone(source.Sample(b.Cohort, n))
	fresh := make(map[string]bool, len(b.Cohort))
	for _, t := range b.Cohort {
		fresh[t.ID] = true
	}
	older := slices.DeleteFunc(slices.Clone(b.Exposed), func(t fleet.Target) bool { return fresh[t.ID] })
	return append(some, source.Sample(older, n-len(some))...)
}
