package train

import "slices"

// Cut is how a plan exposes a fleet: the ids of its targets in their order, and how many of them
// each stage has reached.
type Cut struct {
	Order []string
	To    []int
}

// Needs says for each stage of a younger rollout how many stages of an older one must have passed
// before: those that hold any of its targets. The two may cut different fleets in different ways.
func Needs(younger, older Cut) []int {
	first := make(map[string]int, len(older.Order)) // the number of the stage that exposes a target, from 1
	stage := 0
	for i, id := range older.Order {
		for stage < len(older.To) && i >= older.To[stage] {
			stage++
		}
		first[id] = stage + 1
	}
	out := make([]int, len(younger.To))
	most, at := 0, 0
	for i, to := range younger.To {
		for ; at < to && at < len(younger.Order); at++ {
			most = max(most, first[younger.Order[at]])
		}
		out[i] = most
	}
	return out
}

// Covers says that a younger rollout has every target of an older one.
func Covers(younger, older Cut) bool {
	has := make(map[string]bool, len(younger.Order))
	for _, id := range younger.Order {
		has[id] = true
	}
	return !slices.ContainsFunc(older.Order, func(id string) bool { return !has[id] })
}
