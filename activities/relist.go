package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
)

// RelistInput asks how a fleet has changed since a plan was made.
type RelistInput struct {
	Plan string `json:"plan"`
	// Known are the ids of targets that joined since, and that an earlier answer named: the answer
	// does not name them again.
	Known []string `json:"known,omitempty"`
	// Pending are the ids of targets that an earlier answer named and that are still left out: the
	// answer names them again, since they may have moved.
	Pending []string `json:"pending,omitempty"`
}

// Relisted is how a fleet has changed. It is zero for a fleet from a file: nothing is known but its
// snapshot.
type Relisted struct {
	// Joined are targets that the plan does not know, in the order of their ids, as many as fit
	// into an answer.
	Joined []fleet.Target `json:"joined,omitempty"`
	// Moved are targets that the plan knows at another address; they count towards the bounds of
	// Joined.
	Moved []fleet.Target `json:"moved,omitempty"`
	// Left are the ids of targets that are not listed any more, sorted, as many as fit.
	Left []string `json:"left,omitempty"`
	// Twice are those of Joined and Moved, by id, to which the driver would send its orders where
	// it sends those of another target of the list, and the id of that one.
	Twice map[string]string `json:"twice,omitempty"`
}

// Bounds of an answer, which travels in payloads: as much as a sweep can bring in.
const (
	maxRelisted      = maxStragglers
	maxRelistedBytes = maxStragglerBytes
)

// Relist lists a plan's fleet again, where the worker had listed it, and answers how it differs
// from the plan. It changes nothing. An error is retried by Temporal, up to the bound of a listing;
// then it is one of ErrTypeInvalid.
func (a *Activities) Relist(ctx context.Context, in RelistInput) (Relisted, error) {
	p, err := a.load(ctx, in.Plan)
	if err != nil {
		return Relisted{}, err
	}
	if !p.Spec.Fleet.Listed() {
		return Relisted{}, nil
	}
	now, err := a.list(ctx, p.Spec.Fleet)
	if err != nil {
		return Relisted{}, err
	}
	out, err := changed(p, in, now)
	if err == nil {
		out.Twice = twice(p.Spec.Places(a.kinds), slices.Concat(out.Joined, out.Moved), now)
	}
	return out, err
}

// twice tells which of those targets are one place with another of a list: with one that was there
// before, else with the one whose id comes first. It is pure.
func twice(places func(id, address string, labels map[string]string) []string, anew []fleet.Target, now fleet.Fleet) map[string]string {
	out, holder := map[string]string{}, map[string]string{}
	late := fleet.Set(fleet.IDs(anew))
	there := slices.DeleteFunc(slices.Clone(now.Targets), func(t fleet.Target) bool { return late[t.ID] })
	for _, t := range slices.Concat(there, anew) {
		for _, at := range places(t.ID, t.Address, t.Labels) {
			if other, taken := holder[at]; at != "" && taken {
				out[t.ID] = other
			} else {
				holder[at] = t.ID
			}
		}
	}
	return out
}

// changed tells the fleet now from that of a plan. It is pure.
func changed(p plan.Plan, in RelistInput, now fleet.Fleet) (Relisted, error) {
	var out Relisted
	planned := make(map[string]string, len(p.Order)) // address by id
	for _, t := range p.Order {
		planned[t.ID] = t.Address
	}
	since := fleet.Set(in.Known)
	there := make(map[string]bool, len(now.Targets))
	room := bounds{targets: maxRelisted, bytes: maxRelistedBytes}
	for _, t := range now.Targets { // sorted by id
		there[t.ID] = true
		address, before := planned[t.ID]
		if since[t.ID] || before && address == t.Address {
			continue
		}
		fits, err := room.take(t)
		switch {
		case err != nil:
			return Relisted{}, fmt.Errorf("relist fleet: %w", err)
		case !fits:
		case before:
			out.Moved = append(out.Moved, t)
		default:
			out.Joined = append(out.Joined, t)
		}
	}
	known := slices.Concat(fleet.IDs(p.Order), in.Known, in.Pending)
	gone := slices.DeleteFunc(known, func(id string) bool { return there[id] })
	slices.Sort(gone)
	gone = slices.Compact(gone)
	out.Left = gone[:min(len(gone), maxRelisted)]
	return out, nil
}

// bounds is the room that is left in an answer. Once one target did not fit, none after it does: an
// answer names the first targets of a list.
type bounds struct{ targets, bytes int }

func (b *bounds) take(t fleet.Target) (bool, error) {
	data, err := json.Marshal(t)
	if err != nil {
		return false, err
	}
	if b.targets < 1 || b.bytes < len(data)+1 {
		b.targets = 0
		return false, nil
	}
	b.targets--
	b.bytes -= len(data) + 1
	return true, nil
}
