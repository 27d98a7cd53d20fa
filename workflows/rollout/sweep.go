package rollout

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// gather looks for targets that were left out or have joined since, and adds a stage
// for those that can be reached now: a sweep, judged like any stage. It answers
// whether there is one.
func (r *run) gather() (bool, error) {
	listed := r.sub.Spec.Fleet.Listed()
	if len(r.sweeps) == spec.MaxSweeps || len(r.state.Unreached) == 0 && !listed {
		return false, nil
	}
	r.enter(rollout.PhaseObserve, "looking for targets that were left out or have joined")
	var now activities.Relisted
	if listed {
		now = r.relist()
	}
	joined, more := r.joined(now)
	if len(joined) == 0 && len(r.state.Unreached) == 0 {
		return false, nil
	}
	r.moved(r.elsewhere(now))
	late, err := r.findLate(joined)
	if err != nil {
		return false, err
	}
	r.state.Targets += more
	r.stillOut(late, joined, now.Left)
	r.newcomers = r.waiting(joined)
	if len(late.Ready) == 0 {
		return false, nil
	}
	last := r.sweepStage()
	r.sweeps = append(r.sweeps, late.Ready)
	r.spec.Stages = append(slices.Clone(r.spec.Stages), last)
	r.state.Stages = append(r.state.Stages, rollout.StageState{
		Name: last.Name, Cohort: len(late.Ready), Reach: r.state.Targets - len(r.state.Unreached), Bake: last.Bake,
	})
	return true, nil
}

// relist asks how the fleet has changed since it was planned. A fleet that cannot be
// listed any more is no reason to take anything back: it is as it was.
func (r *run) relist() activities.Relisted {
	in := activities.RelistInput{Plan: r.planned.Digest}
	out := idSet(r.absent())
	for _, t := range r.heardOf() {
		if out[t.ID] {
			in.Pending = append(in.Pending, t.ID)
		} else {
			in.Known = append(in.Known, t.ID)
		}
	}
	var now activities.Relisted
	err := r.do(r.ctx, options("list the fleet again", batchTimeout), activities.TypeRelist, in, &now)
	if err != nil {
		workflow.GetLogger(r.ctx).Warn("the fleet was not listed again: nobody knows who has joined", "error", err)
		return activities.Relisted{}
	}
	return now
}

// stillOut leaves out who was not found: of those that had been left out, and of those
// that have joined. Where nothing new is known, what was known stands.
func (r *run) stillOut(late activities.Late, joined []fleet.Target, left []string) {
	before := r.state.Unreached
	r.state.Unreached = nil
	r.leaveOut(late.Still)
	ready, named := idSet(ids(late.Ready)), idSet(r.absent())
	for _, t := range before {
		if !ready[t.ID] && !named[t.ID] {
			named[t.ID] = true
			r.state.Unreached = append(r.state.Unreached, t)
		}
	}
	for _, t := range joined {
		if !ready[t.ID] && !named[t.ID] {
			r.state.Unreached = append(r.state.Unreached, rollout.TargetTrouble{ID: t.ID, Reason: "joined late, and did not answer"})
		}
	}
	gone := idSet(left)
	for i, t := range r.state.Unreached {
		if gone[t.ID] {
			r.state.Unreached[i].Reason = "has left the fleet"
		}
	}
}

func (r *run) findLate(joined []fleet.Target) (activities.Late, error) {
	var late activities.Late
	err := r.do(r.ctx, options("look for targets that were left out", batchTimeout), activities.TypeFindLate, activities.LateInput{
		Plan: r.planned.Digest, Absent: r.absent(), Joined: joined, Fence: r.state.Fence, Parallel: r.spec.Apply.Parallel, Within: lateWithin,
	}, &late)
	return late, err
}

// sweepStage is the stage of a sweep: as long as the last one.
func (r *run) sweepStage() spec.Stage {
	last := r.sub.Spec.Stages[len(r.sub.Spec.Stages)-1]
	return spec.Stage{Name: spec.StageSweep, Bake: last.Bake, Adaptive: last.Adaptive, DecideWithin: last.DecideWithin, Undecided: last.Undecided}
}

// late are the targets of a sweep; nil for a stage of the plan.
func (r *run) late(stage int) []fleet.Target {
	if n := stage - len(r.planned.Stages); n >= 0 {
		return r.sweeps[n]
	}
	return nil
}

// allowance is how many of a stage's targets may stay silent. Those of a sweep may
// all go away again.
func (r *run) allowance(stage int) int {
	n := r.state.Stages[stage].Cohort
	if r.late(stage) != nil {
		return n
	}
	return r.spec.Stages[stage].Unreachable(n)
}

// leaveOut notes targets that do not answer, each once.
func (r *run) leaveOut(ts []activities.Trouble) {
	if len(ts) == 0 {
		return
	}
	known := idSet(r.absent())
	for _, t := range ts {
		if known[t.ID] {
			continue
		}
		known[t.ID] = true
		if t.Silent {
			t.Reason = "does not answer: " + t.Reason
		}
		r.state.Unreached = append(r.state.Unreached, rollout.TargetTrouble{ID: t.ID, Reason: t.Reason})
	}
}

// maxAbsent is how many bytes the ids of left out targets may take: they go with every
// question about a stage, in a payload of 2 MB, beside a sweep's targets and what the
// judge remembers; and a history holds many of them.
const maxAbsent = 512 << 10

// tooManyUnreached says that more targets are left out than a rollout can carry along.
func (r *run) tooManyUnreached() bool {
	n := 0
	for _, t := range r.state.Unreached {
		n += len(t.ID) + len(`"",`)
	}
	return n > maxAbsent
}

// absent are the ids of the targets that are left out.
func (r *run) absent() []string {
	var ids []string
	for _, t := range r.state.Unreached {
		ids = append(ids, t.ID)
	}
	return ids
}

// leaveOutSilent notes the targets whose silence a gate has forgiven.
func (r *run) leaveOutSilent(stage string, report health.Report) {
	for _, res := range report.Results {
		quiet := make([]activities.Trouble, len(res.Silent))
		for i, id := range res.Silent {
			quiet[i] = activities.Trouble{ID: id, Reason: "asked by the gate of " + stage, Silent: true}
		}
		r.leaveOut(quiet)
		r.count(res.Silent, false) // it may have run the release when it was found
	}
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

func troubled(ts []activities.Trouble) []rollout.TargetTrouble {
	var out []rollout.TargetTrouble
	for _, t := range ts {
		out = append(out, rollout.TargetTrouble{ID: t.ID, Reason: t.Reason})
	}
	return out
}
