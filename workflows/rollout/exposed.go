package rollout

import (
	"slices"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/fleet"
)

// alreadyExposed is a target that was left out, or has moved, after it was exposed. A sweep that
// brings it in does not expose one target more.
type alreadyExposed struct {
	ID string `json:"id"`
	// Noted is set when an earlier batch takes the target back to what it ran at first. It is not
	// set for a target that was silent at a gate: it may have run the release when it was found.
	Noted bool `json:"noted,omitempty"`
}

// noteExposed notes targets that are exposed, each once.
func (o *roster) noteExposed(ids []string, noted bool) {
	known := make(map[string]int, len(o.Exposed))
	for i, c := range o.Exposed {
		known[c.ID] = i
	}
	for _, id := range ids {
		if i, ok := known[id]; ok {
			o.Exposed[i].Noted = o.Exposed[i].Noted || noted
			continue
		}
		known[id] = len(o.Exposed)
		o.Exposed = append(o.Exposed, alreadyExposed{ID: id, Noted: noted})
	}
}

// noteMoved notes targets that are at another address now: an earlier batch would take back the
// host at the old address. Those that were reached are exposed.
func (o *roster) noteMoved(ts []fleet.Target) {
	out := fleet.Set(o.unreached())
	gone := fleet.Set(fleet.IDs(ts))
	for i, c := range o.Exposed {
		if gone[c.ID] {
			o.Exposed[i].Noted = false
		}
	}
	for _, t := range ts {
		if !out[t.ID] {
			o.noteExposed([]string{t.ID}, false)
		}
	}
}

// tally says how many targets of a batch are changed, and how many are newly exposed.
type tally struct {
	// Todo is how many are to be changed, and Fresh how many of them no earlier batch takes back.
	Todo, Fresh int
	// Found is how many run the release already and were not exposed before, Changing how many of
	// Todo were not exposed before.
	Found, Changing int
	// Noted are the ids of Todo that an earlier batch takes back.
	Noted []string
}

// tally counts a batch as it was observed. Only targets of a sweep may have been exposed before.
func (o *roster) tally(b activities.Batch, seen activities.Observed) tally {
	todo := b.To - b.From - seen.Already - len(seen.Previous.Absent)
	t := tally{Todo: todo, Fresh: todo, Found: seen.Already, Changing: todo}
	if b.Stragglers == nil || len(o.Exposed) == 0 {
		return t
	}
	before := make(map[string]alreadyExposed, len(o.Exposed))
	for _, c := range o.Exposed {
		before[c.ID] = c
	}
	ran := seen.Previous.ByID()
	for _, target := range b.Stragglers[b.From:b.To] {
		c, again := before[target.ID]
		was, answers := ran(target.ID)
		switch {
		case !again || !answers:
		case was == o.state.Release:
			t.Found--
		default:
			t.Changing--
			if c.Noted {
				t.Fresh--
				t.Noted = append(t.Noted, target.ID)
			}
		}
	}
	return t
}

// exposure is how a batch is taken back: without the targets that an earlier batch takes back,
// since that one knows what they ran at first.
func (t tally) exposure(stage int, b activities.Batch, seen activities.Observed) exposure {
	p := seen.Previous
	p.Absent = slices.Concat(p.Absent, t.Noted)
	return exposure{Batch: b, Stage: stage, Previous: p, Count: t.Fresh}
}
