package rollout

import (
	"slices"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/rollout"
)

// heardOf are the targets that joined, moved or came back late, each as it was told
// last: those that were swept in, and those that could not be yet.
func (r *run) heardOf() []fleet.Target {
	var out []fleet.Target
	seen := map[string]bool{}
	for _, ts := range slices.Backward(append(slices.Clone(r.sweeps), r.newcomers)) {
		for _, t := range ts {
			if !seen[t.ID] {
				seen[t.ID] = true
				out = append(out, t)
			}
		}
	}
	return out
}

// joined are the targets to ask beside those of the plan: what was listed now and, of
// those heard of before, who is left out still, whatever the listing says. It answers
// how many the fleet has more than was known.
func (r *run) joined(now activities.Relisted) (all []fleet.Target, more int) {
	before := r.heardOf()
	known := idSet(ids(before))
	for _, t := range now.Joined {
		if !known[t.ID] {
			more++
		}
	}
	all = slices.Concat(now.Joined, now.Moved)
	out, listed := idSet(r.absent()), idSet(ids(all))
	room := maxPending
	for _, t := range before {
		if !out[t.ID] || listed[t.ID] {
			continue
		}
		if room -= rollout.JSONSize(t); room < 0 {
			break // by their ids alone they stay left out
		}
		all = append(all, t)
	}
	return all, more
}

// waiting are the targets heard of that are left out still.
func (r *run) waiting(joined []fleet.Target) []fleet.Target {
	out, listed := idSet(r.absent()), idSet(ids(joined))
	all := slices.Clone(joined)
	for _, t := range r.heardOf() {
		if !listed[t.ID] {
			all = append(all, t)
		}
	}
	return slices.DeleteFunc(all, func(t fleet.Target) bool { return !out[t.ID] })
}

// maxPending is how many bytes the targets may take that are asked for again: they
// travel with those that were listed, and with the ids of all that are left out.
const maxPending = 512 << 10

// elsewhere are the targets of a listing that were known at another address.
func (r *run) elsewhere(now activities.Relisted) []fleet.Target {
	at := map[string]string{}
	for _, t := range r.heardOf() {
		at[t.ID] = t.Address
	}
	var out []fleet.Target
	for _, t := range now.Joined {
		if was, ok := at[t.ID]; ok && was != t.Address {
			out = append(out, t)
		}
	}
	for _, t := range now.Moved { // the plan has another address at least
		if was, ok := at[t.ID]; !ok || was != t.Address {
			out = append(out, t)
		}
	}
	return out
}

func ids(ts []fleet.Target) []string {
	out := make([]string, len(ts))
	for i, t := range ts {
		out[i] = t.ID
	}
	return out
}

func idSet(ids []string) map[string]bool {
	out := make(map[string]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out
}
