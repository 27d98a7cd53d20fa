package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/sluicehq/sluice/internal/fleet"
)

// spread picks n of the candidates so that each value of the label gets its share, rounded by the
// largest remainder: every value is within one of its exact share. A target without the label
// counts as one with the value "".
func spread(candidates []fleet.Target, label string, n int) []fleet.Target {
	sizes := map[string]int{}
	for _, t := range candidates {
		sizes[t.Labels[label]]++
	}
	quota := quotas(sizes, len(candidates), n)
	picked := make([]fleet.Target, 0, n)
	for _, t := range candidates {
		if value := t.Labels[label]; quota[value] > 0 {
			quota[value]--
			picked = append(picked, t)
		}
	}
	return picked
}

func quotas(sizes map[string]int, total, n int) map[string]int {
	values := slices.Sorted(maps.Keys(sizes))
	quota := make(map[string]int, len(values))
	missing := n
	for _, v := range values {
		quota[v] = n * sizes[v] / total
		missing -= quota[v]
	}
	slices.SortStableFunc(values, func(a, b string) int { // largest remainder first, then by name
		return cmp.Compare(n*sizes[b]%total, n*sizes[a]%total)
	})
	for _, v := range values[:missing] {
		quota[v]++
	}
	return quota
}
