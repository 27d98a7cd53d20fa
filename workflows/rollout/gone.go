package rollout

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/spec"
)

// Targets that leave the fleet while a rollout is under way, and hosts that are replaced at their
// address, are no doing of the change.

// listingWithin is how long a decision waits for the fleet to be listed: harm is not taken back
// later for it.
const listingWithin = 10 * time.Second

// gone are those of some silent targets that the fleet's listing does not have any more.
func (r *run) gone(ctx workflow.Context, silent []string) []string {
	if !r.since020 || len(silent) == 0 || !r.sub.Spec.Fleet.Listed() {
		return nil
	}
	o := options("list the fleet: is what does not answer still in it", listingWithin)
	o.ScheduleToCloseTimeout, o.RetryPolicy.MaximumAttempts = listingWithin, 1
	var now activities.Relisted
	if err := r.do(ctx, o, activities.TypeRelist, r.relistInput(), &now); err != nil {
		workflow.GetLogger(ctx).Warn("the fleet was not listed: nobody knows who has left it", "error", err)
		return nil
	}
	left := fleet.Set(now.Left)
	return slices.DeleteFunc(slices.Clone(silent), func(id string) bool { return !left[id] })
}

// hasLeft is why a target is left out that the listing does not have any more.
const hasLeft = "has left the fleet"

// leaveOutGone leaves out, by name, targets that have left the fleet.
func (o *roster) leaveOutGone(ids []string) {
	for _, id := range ids {
		o.leaveOut([]activities.Trouble{{ID: id, Reason: hasLeft}})
	}
}

// withoutGone leaves out those troubles of a stage that have left the fleet.
func (r *run) withoutGone(i int, trouble []activities.Trouble) []activities.Trouble {
	quiet, _ := silent(trouble)
	gone := r.gone(r.ctx, idsOf(quiet))
	r.Roster.leaveOutGone(gone)
	s := &r.State.Stages[i]
	s.Absent, s.Gone = s.Absent+len(gone), s.Gone+len(gone)
	out := fleet.Set(gone)
	return slices.DeleteFunc(slices.Clone(trouble), func(t activities.Trouble) bool { return out[t.ID] })
}

// leavesOut leaves out targets that made a look fail and are no evidence of harm: silent ones that
// have left the fleet, and hosts that were replaced. It answers whether there was any; the next
// look judges the others.
func (j *judging) leavesOut() bool {
	r, s := j.run, &j.run.State.Stages[j.stage]
	silent, replaced := blamed(j.Last)
	if !r.since020 || len(silent)+len(replaced) == 0 {
		return false
	}
	gone := r.gone(r.ctx, silent)
	exposed := s.Reach - len(r.State.Unreached)
	if r.stragglers(j.stage) != nil { // a sweep's reach is without those that were left out before
		exposed = r.State.Targets - len(r.State.Unreached)
	}
	out := len(gone) + len(replaced)
	// What is left must be able to tell, and hosts that are replaced one after the other are no
	// coincidence.
	if out == 0 || out >= exposed || len(replaced) > 0 && 2*(s.Replaced+len(replaced)) >= s.Cohort {
		return false
	}
	r.Roster.leaveOutGone(gone)
	for _, id := range replaced {
		r.Roster.leaveOut([]activities.Trouble{{ID: id, Reason: "was replaced, and came up on another release: to be brought in"}})
	}
	r.Roster.noteExposed(slices.Concat(gone, replaced), true)
	s.Replaced += len(replaced)
	j.Input.Absent = r.Roster.unreached()
	j.Input.Before.Exposed *= float64(exposed-out) / float64(exposed)
	r.Judged.Absent = j.Input.Absent
	return true
}

// blamed are the targets that a failed look names for silence or for another release, where it
// failed for nothing else; their traffic goes with them.
func blamed(report health.Report) (silent, replaced []string) {
	for _, res := range report.Results {
		switch {
		case res.Advisory || res.Verdict != health.Fail || res.Check == spec.CheckTraffic:
		case len(res.Silent)+len(res.Replaced) == 0:
			return nil, nil
		default:
			silent, replaced = append(silent, res.Silent...), append(replaced, res.Replaced...)
		}
	}
	slices.Sort(silent)
	return slices.Compact(silent), replaced
}

// withoutGone leaves out what cannot be taken back since it has left the fleet.
func (b *wayBack) withoutGone(left []leftover) []leftover {
	r := b.run
	var silent []string
	for _, l := range left {
		silent = append(silent, l.Only...)
	}
	gone := fleet.Set(r.gone(r.base, silent))
	if len(gone) == 0 {
		return left
	}
	var out []leftover
	for _, l := range left {
		rest := l
		rest.Only, rest.Troubles = nil, nil
		for _, t := range l.Troubles {
			if gone[t.ID] {
				why := fmt.Sprintf("%s, and may still run %s: %s", hasLeft, r.State.Release, t.Reason)
				r.Roster.leaveOut([]activities.Trouble{{ID: t.ID, Reason: why}})
				r.State.Exposed--
				continue
			}
			rest.Only, rest.Troubles = append(rest.Only, t.ID), append(rest.Troubles, t)
		}
		if l.Only == nil {
			rest = l
		}
		if len(rest.Troubles) > 0 {
			out = append(out, rest)
		}
	}
	return out
}
