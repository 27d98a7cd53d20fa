package rollout

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// gather looks for targets that were left out or have joined since, and adds a stage for those that
// can be reached now: a sweep, judged like any stage. It answers whether there is one.
func (r *run) gather() (bool, error) {
	listed := r.sub.Spec.Fleet.Listed()
	if r.coupled() { // a younger rollout may reach them at any moment: the next release brings them in
		return false, nil
	}
	if len(r.Roster.Sweeps) == spec.MaxSweeps || len(r.State.Unreached) == 0 && !listed {
		return false, nil
	}
	r.enter(rollout.PhaseObserve, "looking for targets that were left out or have joined")
	var now activities.Relisted
	if listed {
		now = r.relist()
	}
	candidates, more := r.Roster.candidates(now)
	if len(candidates) == 0 && len(r.State.Unreached) == 0 {
		return false, nil
	}
	r.Roster.noteMoved(r.Roster.moved(now))
	found, err := r.findStragglers(candidates, now.Twice)
	if err != nil {
		return false, err
	}
	r.State.Targets += more
	r.Roster.update(found, candidates, now.Left)
	if len(found.Ready) == 0 {
		return false, nil
	}
	last := r.sweepStage()
	r.Roster.Sweeps = append(r.Roster.Sweeps, found.Ready)
	r.spec.Stages = append(slices.Clone(r.spec.Stages), last)
	r.State.Stages = append(r.State.Stages, rollout.StageState{
		Name: last.Name, Cohort: len(found.Ready), Reach: r.State.Targets - len(r.State.Unreached), Bake: last.Bake,
	})
	return true, nil
}

// relist asks how the fleet has changed since it was planned. A fleet that cannot be listed any
// more is no reason to take anything back: it is as it was.
func (r *run) relist() activities.Relisted {
	var now activities.Relisted
	err := r.do(r.ctx, options("list the fleet again", batchTimeout), activities.TypeRelist, r.relistInput(), &now)
	if err != nil {
		workflow.GetLogger(r.ctx).Warn("the fleet was not listed again: nobody knows who has joined", "error", err)
		return activities.Relisted{}
	}
	return now
}

// relistInput asks how the fleet differs from what is known of it.
func (r *run) relistInput() activities.RelistInput {
	in := activities.RelistInput{Plan: r.Planned.Digest}
	out := fleet.Set(r.Roster.unreached())
	for _, t := range r.Roster.afterPlan() {
		if out[t.ID] {
			in.Pending = append(in.Pending, t.ID)
		} else {
			in.Known = append(in.Known, t.ID)
		}
	}
	return in
}

// findStragglers asks the targets that are left out, and the candidates of a sweep, whether they
// can be reached now. Twice are candidates that are one place with another target.
func (r *run) findStragglers(candidates []fleet.Target, twice map[string]string) (activities.Stragglers, error) {
	var found activities.Stragglers
	err := r.do(r.ctx, options("look for targets that were left out", batchTimeout), activities.TypeFindStragglers, activities.StragglersInput{
		Plan: r.Planned.Digest, Absent: r.Roster.unreached(), Joined: candidates, Twice: twice,
		Fence: r.State.Fence, Parallel: r.spec.Apply.Parallel, Within: stragglersWithin,
	}, &found)
	return found, err
}

// sweepStage is the stage of a sweep: as long as the last one.
func (r *run) sweepStage() spec.Stage {
	last := r.sub.Spec.Stages[len(r.sub.Spec.Stages)-1]
	return spec.Stage{
		Name: spec.StageSweep, Bake: last.Bake, Adaptive: last.Adaptive, DecideWithin: last.DecideWithin, Undecided: last.Undecided,
	}
}

// stragglers are the targets of a sweep; nil for a stage of the plan.
func (r *run) stragglers(stage int) []fleet.Target {
	if n := stage - len(r.Planned.Stages); n >= 0 {
		return r.Roster.Sweeps[n]
	}
	return nil
}

// allowance is how many of a stage's targets may stay silent. Those of a sweep may all go away
// again.
func (r *run) allowance(stage int) int {
	n := r.State.Stages[stage].Cohort
	if r.stragglers(stage) != nil {
		return n
	}
	return r.spec.Stages[stage].Unreachable(n)
}

// silent parts troubles into those that may be tolerated and the others.
func silent(ts []activities.Trouble) (quiet, others []activities.Trouble) {
	for _, t := range ts {
		if t.Silent {
			quiet = append(quiet, t)
		} else {
			others = append(others, t)
		}
	}
	return quiet, others
}

func idsOf(ts []activities.Trouble) []string {
	out := make([]string, len(ts))
	for i, t := range ts {
		out[i] = t.ID
	}
	return out
}
