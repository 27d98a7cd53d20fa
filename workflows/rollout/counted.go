package rollout

import (
	"slices"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/fleet"
)

// counted is a target that was left out, or has moved, after it was exposed: when a
// sweep brings it in, it is no more exposed than it was.
type counted struct {
	ID string `json:"id"`
	// Noted is set when an earlier batch is known to take it back, to what it ran at
	// first. Who was silent at a gate may have been found on the release.
	Noted bool `json:"noted,omitempty"`
}

// count notes targets that are exposed, once each.
func (r *run) count(ids []string, noted bool) {
	known := make(map[string]int, len(r.counted))
	for i, c := range r.counted {
		known[c.ID] = i
	}
	for _, id := range ids {
		if i, ok := known[id]; ok {
			r.counted[i].Noted = r.counted[i].Noted || noted
			continue
		}
		known[id] = len(r.counted)
		r.counted = append(r.counted, counted{ID: id, Noted: noted})
	}
}

// moved notes targets that are at another address: who is there now is not who an
// earlier batch would take back. Those that were reached are exposed.
func (r *run) moved(ts []fleet.Target) {
	out := idSet(r.absent())
	gone := idSet(ids(ts))
	for i, c := range r.counted {
		if gone[c.ID] {
			r.counted[i].Noted = false
		}
	}
	for _, t := range ts {
		if !out[t.ID] {
			r.count([]string{t.ID}, false)
		}
	}
}

// tally is what of a batch is to be counted.
type tally struct {
	// Todo are to be changed, and Fresh of them are in no earlier batch.
	Todo, Fresh int
	// Exposed were not exposed before: Found of those that run the release already,
	// and Changing of Todo.
	Found, Changing int
	// Noted are those of Todo that an earlier batch takes back.
	Noted []string
}

// tally counts a batch as it was observed. Only those of a sweep may have been counted
// before.
func (r *run) tally(b activities.Batch, seen activities.Observed) tally {
	todo := b.To - b.From - seen.Already - len(seen.Previous.Absent)
	t := tally{Todo: todo, Fresh: todo, Found: seen.Already, Changing: todo}
	if b.Late == nil || len(r.counted) == 0 {
		return t
	}
	before := make(map[string]counted, len(r.counted))
	for _, c := range r.counted {
		before[c.ID] = c
	}
	ran := seen.Previous.ByID()
	for _, late := range b.Late[b.From:b.To] {
		c, again := before[late.ID]
		was, answers := ran(late.ID)
		switch {
		case !again || !answers:
		case was == r.state.Release:
			t.Found--
		default:
			t.Changing--
			if c.Noted {
				t.Fresh--
				t.Noted = append(t.Noted, late.ID)
			}
		}
	}
	return t
}

// exposure is how a batch is taken back: without those that an earlier one takes back,
// which knows what they ran at first.
func (t tally) exposure(stage int, b activities.Batch, seen activities.Observed) exposure {
	p := seen.Previous
	p.Absent = slices.Concat(p.Absent, t.Noted)
	return exposure{Batch: b, Stage: stage, Previous: p, Count: t.Fresh}
}
