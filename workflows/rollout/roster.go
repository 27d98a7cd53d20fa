package rollout

import (
	"slices"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
)

// roster knows the targets that do not go as the plan has it: those that are left out since they do
// not answer, and those that joined or moved after the plan was made. It is pure: a sweep asks the
// targets.
type roster struct {
	// state names those that are left out, in Unreached.
	state *rollout.State
	// Sweeps are the targets of the stages after the plan's last, in their order.
	Sweeps [][]fleet.Target `json:"sweeps,omitempty"`
	// Pending joined or moved, and could not be brought in yet.
	Pending []fleet.Target `json:"pending,omitempty"`
	// Exposed are exposed targets that a sweep may meet again.
	Exposed []alreadyExposed `json:"exposed,omitempty"`
}

// unreached are the ids of the targets that are left out.
func (o *roster) unreached() []string {
	var ids []string
	for _, t := range o.state.Unreached {
		ids = append(ids, t.ID)
	}
	return ids
}

// maxUnreached is how many bytes the ids of left out targets may take: they go with every question
// about a stage, in a payload of 2 MB, beside a sweep's targets and what the judge remembers; and a
// history holds many of them.
const maxUnreached = 512 << 10

// tooManyUnreached says that more targets are left out than a rollout can carry along.
func (o *roster) tooManyUnreached() bool {
	n := 0
	for _, t := range o.state.Unreached {
		n += len(t.ID) + len(`"",`)
	}
	return n > maxUnreached
}

// leaveOut notes targets that do not answer, each once.
func (o *roster) leaveOut(ts []activities.Trouble) {
	if len(ts) == 0 {
		return
	}
	known := fleet.Set(o.unreached())
	for _, t := range ts {
		if known[t.ID] {
			continue
		}
		known[t.ID] = true
		if t.Silent {
			t.Reason = "does not answer: " + t.Reason
		}
		o.state.Unreached = append(o.state.Unreached, rollout.TargetTrouble{ID: t.ID, Reason: t.Reason})
	}
}

// leaveOutSilent leaves out the targets that did not answer a gate that let the stage pass all the
// same.
func (o *roster) leaveOutSilent(stage string, report health.Report) {
	for _, res := range report.Results {
		if res.Verdict == health.Fail { // a person has let it pass, and not those
			continue
		}
		quiet := make([]activities.Trouble, len(res.Silent))
		for i, id := range res.Silent {
			quiet[i] = activities.Trouble{ID: id, Reason: "asked by the gate of " + stage, Silent: true}
		}
		o.leaveOut(quiet)
		o.noteExposed(res.Silent, false) // it may have run the release when it was found
	}
}

// afterPlan are the targets that joined or moved after the plan was made, each as it was listed
// last: those that were swept in, and those that are pending.
func (o *roster) afterPlan() []fleet.Target {
	var out []fleet.Target
	seen := map[string]bool{}
	for _, ts := range slices.Backward(append(slices.Clone(o.Sweeps), o.Pending)) {
		for _, t := range ts {
			if !seen[t.ID] {
				seen[t.ID] = true
				out = append(out, t)
			}
		}
	}
	return out
}

// candidates are the targets that a sweep asks beside those of the plan: what was listed now, and
// those from earlier listings that are still left out, even when they are not listed any more. It
// also answers how many targets the fleet has more than was known.
func (o *roster) candidates(now activities.Relisted) (all []fleet.Target, more int) {
	before := o.afterPlan()
	known := fleet.Set(fleet.IDs(before))
	for _, t := range now.Joined {
		if !known[t.ID] {
			more++
		}
	}
	all = slices.Concat(now.Joined, now.Moved)
	out, listed := fleet.Set(o.unreached()), fleet.Set(fleet.IDs(all))
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

// maxPending is how many bytes the targets may take that are asked again: they travel with those
// that were listed, and with the ids of all that are left out.
const maxPending = 512 << 10

// update notes what a sweep has found of its candidates: those that are not ready are left out.
// Left are the ids of targets that are not listed any more.
func (o *roster) update(found activities.Stragglers, candidates []fleet.Target, left []string) {
	before := o.state.Unreached
	o.state.Unreached = nil
	o.leaveOut(found.Still)
	ready, named := fleet.Set(fleet.IDs(found.Ready)), fleet.Set(o.unreached())
	for _, t := range before { // nothing new is known of them
		if !ready[t.ID] && !named[t.ID] {
			named[t.ID] = true
			o.state.Unreached = append(o.state.Unreached, t)
		}
	}
	for _, t := range candidates {
		if !ready[t.ID] && !named[t.ID] {
			o.state.Unreached = append(o.state.Unreached, rollout.TargetTrouble{ID: t.ID, Reason: "joined late, and did not answer"})
		}
	}
	gone := fleet.Set(left)
	for i, t := range o.state.Unreached {
		if gone[t.ID] {
			o.state.Unreached[i].Reason = hasLeft
		}
	}
	o.Pending = o.stillPending(candidates)
}

// stillPending are the targets that came after the plan and are left out.
func (o *roster) stillPending(candidates []fleet.Target) []fleet.Target {
	out, listed := fleet.Set(o.unreached()), fleet.Set(fleet.IDs(candidates))
	all := slices.Clone(candidates)
	for _, t := range o.afterPlan() {
		if !listed[t.ID] {
			all = append(all, t)
		}
	}
	return slices.DeleteFunc(all, func(t fleet.Target) bool { return !out[t.ID] })
}

// moved are the targets of a listing that were known at another address.
func (o *roster) moved(now activities.Relisted) []fleet.Target {
	at := map[string]string{}
	for _, t := range o.afterPlan() {
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
