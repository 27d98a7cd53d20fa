package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/rollout"
)

// surveyWithin is how long the targets of a batch are asked what they run.
const surveyWithin = 2 * time.Minute

// found are the targets of the fleet that run the release although nothing is known here to have
// put it there: another rollout has, or this one in a history that was lost. They go back with the
// others, to what those came from. Left are on their way back already.
func (b *wayBack) found(left []leftover) []leftover {
	r := b.run
	if !r.since020 || b.ClearingEarlier || b.Ended || r.State.GaveUp != nil || !b.planned(left) {
		return nil
	}
	batches, stages := r.everyBatch()
	answers := b.survey(batches)
	all := sum(answers)
	known := make(map[string]bool)
	for _, t := range named(slices.Concat(b.Left, left)) {
		known[t.ID] = true
	}
	if b.spares(all.Own, len(b.Left)+len(left) > 0) {
		b.noteSpared(answers, known)
		return nil
	}
	whole := func(l leftover, i int) bool { // named as one, since its activity did not answer
		e := l.Exposure
		return l.Only == nil && e.Back == 0 && e.Stage == stages[i] && e.From == batches[i].From && e.To == batches[i].To
	}
	r.Roster.leaveOutOnly(all.Silent, known)
	home, ok := home(r.State.Release, r.Touched, all.Others, r.spec.Fallback != nil)
	var out []leftover
	n := 0
	for i, a := range answers {
		ids := slices.DeleteFunc(slices.Clone(a.On), func(id string) bool { return known[id] })
		if len(ids) == 0 || slices.ContainsFunc(slices.Concat(b.Left, left), func(l leftover) bool { return whole(l, i) }) {
			continue
		}
		for _, id := range ids {
			known[id] = true
		}
		n += len(ids)
		e := exposure{Batch: batches[i], Stage: stages[i], Previous: activities.Previous{Common: home}, Count: len(ids)}
		l := leftover{Exposure: e, Only: ids}
		if ok {
			out = append(out, l)
			continue
		}
		for _, id := range ids {
			l.Troubles = append(l.Troubles, activities.Trouble{ID: id, Final: true, Reason: fmt.Sprintf(
				"was found on %s, and nobody knows what it ran before: roll out another release, or say where to with fallback", r.State.Release)})
		}
		l.Lost = true
		b.Left = append(b.Left, l)
	}
	b.noteFound(n, all.Own, home, ok)
	r.State.Exposed = notBack(slices.Concat(b.Left, left)) + notBack(out)
	return out
}

// planned says whether the targets can be asked. Where nobody knows what earlier runs have left and
// the fleet is not cut yet, it is now; if it cannot be, the unit locks.
func (b *wayBack) planned(left []leftover) bool {
	r := b.run
	if r.Planned.Digest != "" || !b.Unknown {
		return r.Planned.Digest != ""
	}
	err := r.planWith(r.base, b.do)
	if err == nil {
		return true
	}
	l := leftover{Lost: true, Only: []string{"every target"}}
	l.Troubles = []activities.Trouble{{ID: l.Only[0], Final: true, Reason: "nobody knows what it runs: " + Plainly(err)}}
	b.Left = append(b.Left, l)
	b.Outcome.Touched++
	r.State.Exposed = notBack(slices.Concat(b.Left, left))
	return false
}

// spares says whether what was found on the release stays: another rollout has put it there, and
// this one has changed nothing and seen no harm, or undoes a certain run.
func (b *wayBack) spares(own int, open bool) bool {
	idle := len(b.run.Touched) == 0 && !b.Harm && !b.Unknown && b.Tries == 0
	refused := b.Result == rollout.PhaseRefused && (!b.Declined || !open) // then it may end as incomplete
	return own == 0 && (idle || refused || b.run.sub.Undo != nil)
}

// maxSpared is how many of those that keep the release are named.
const maxSpared = 10

// noteSpared says in the outcome what stays on the release. Known are named already.
func (b *wayBack) noteSpared(answers []activities.Surveyed, known map[string]bool) {
	var ids []string
	for _, a := range answers {
		ids = append(ids, a.On...)
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return known[id] })
	if b.Tries > 0 || len(ids) == 0 { // it is said already
		return
	}
	names := strings.Join(ids[:min(len(ids), maxSpared)], ", ")
	if len(ids) > maxSpared {
		names += ", …"
	}
	what := fmt.Sprintf("; %d targets run %s by another rollout, and keep it: %s", len(ids), b.run.State.Release, names)
	if !strings.Contains(b.Outcome.Why, what) {
		b.Outcome.Why += what
	}
}

// noteFound says in the outcome what was found on the release.
func (b *wayBack) noteFound(n, own int, home string, ok bool) {
	if n == 0 {
		return
	}
	o := &b.Outcome
	o.Touched += n
	if b.Declined {
		b.Declined, b.Result = false, rollout.PhaseRolledBack
	}
	if b.Tries > 0 { // it is said already
		return
	}
	if b.Result == rollout.PhaseRefused {
		b.Result, o.Result = rollout.PhaseRolledBack, rollout.PhaseRolledBack
		o.Why = strings.TrimSuffix(o.Why, nothingChanged)
	}
	o.Why += fmt.Sprintf("; %d targets were found on %s", n, b.run.State.Release)
	if own > 0 {
		o.Why += fmt.Sprintf(", %d of them by an order of this rollout that its history does not know "+
			"(it was reset, or Temporal's database was restored)", own)
	}
	switch {
	case ok && home != "":
		o.Why += ", and go to " + home + " as the others"
	case ok:
		o.Why += ", and go to the fallback"
	}
}

// everyBatch are the batches of all stages, and what waits to be brought in, with the stage of
// each.
func (r *run) everyBatch() (batches []activities.Batch, stages []int) {
	for i := range r.State.Stages {
		batches = append(batches, r.batches(i)...)
		for len(stages) < len(batches) {
			stages = append(stages, i)
		}
	}
	if p := r.Roster.Pending; len(p) > 0 {
		batches = append(batches, activities.Batch{Plan: r.Planned.Digest, To: len(p), Stragglers: p})
		stages = append(stages, len(r.State.Stages)-1)
	}
	for i := range batches {
		batches[i].Parallel = max(1, r.spec.Rollback.Parallel/min(len(batches), batchesAtOnce))
	}
	return batches, stages
}

// survey asks every batch what its targets run, unless that is sure. A batch that cannot be asked
// is named as one that is silent.
func (b *wayBack) survey(batches []activities.Batch) []activities.Surveyed {
	r := b.run
	out := make([]activities.Surveyed, len(batches))
	_ = eachBatch(r.base, len(batches), batchesAtOnce, never, func(ctx workflow.Context, n int) error { // f answers no error
		if batches[n].Stragglers == nil && slices.Contains(b.sure, [2]int{batches[n].From, batches[n].To}) {
			return nil
		}
		what := fmt.Sprintf("ask targets %d-%d what they run", batches[n].From+1, batches[n].To)
		o := options(what, surveyWithin+time.Minute)
		o.TaskQueue, o.Priority = connect.RollbackQueueOf(workflow.GetInfo(ctx).TaskQueueName), temporal.Priority{PriorityKey: 1}
		o.ScheduleToCloseTimeout = 2 * o.StartToCloseTimeout
		in := activities.SurveyInput{Batch: batches[n], Fence: r.State.Fence, Within: surveyWithin}
		if err := b.do(ctx, o, activities.TypeSurvey, in, &out[n]); err != nil {
			out[n] = activities.Surveyed{Silent: []activities.Trouble{{ID: what, Reason: "not known: " + Plainly(err)}}}
		}
		return nil
	})
	return out
}

// sum adds up what batches have answered.
func sum(answers []activities.Surveyed) activities.Surveyed {
	all := activities.Surveyed{Others: map[string]int{}}
	for _, a := range answers {
		all.Own += a.Own
		all.Silent = append(all.Silent, a.Silent...)
		for _, release := range workflow.DeterministicKeys(a.Others) {
			all.Others[release] += a.Others[release]
		}
	}
	return all
}

// home is the release that a target goes back to when nobody knows what it ran: what most of the
// touched ones ran before, else what most of the others run now, else the fallback. An empty
// release means the fallback; ok is false where there is none of these. It is pure.
func home(release string, touched []exposure, others map[string]int, fallback bool) (to string, ok bool) {
	before := map[string]int{}
	for _, t := range touched {
		rest := t.Count
		for _, r := range workflow.DeterministicKeys(t.Previous.Others) {
			before[r] += len(t.Previous.Others[r])
			if r != release {
				rest -= len(t.Previous.Others[r])
			}
		}
		before[t.Previous.Common] += max(0, rest)
	}
	for _, counts := range []map[string]int{before, others} {
		most := 0
		for _, r := range workflow.DeterministicKeys(counts) {
			if n := counts[r]; n > most && r != release && (r != "" || fallback) {
				to, most = r, n
			}
		}
		if most > 0 {
			return to, true
		}
	}
	return "", fallback
}

// leaveOutOnly leaves out what did not answer, and nothing else. Known are named already.
func (o *roster) leaveOutOnly(silent []activities.Trouble, known map[string]bool) {
	quiet := fleet.Set(idsOf(silent))
	o.state.Unreached = slices.DeleteFunc(slices.Clone(o.state.Unreached), func(t rollout.TargetTrouble) bool { return !quiet[t.ID] })
	o.leaveOut(slices.DeleteFunc(slices.Clone(silent), func(t activities.Trouble) bool { return known[t.ID] }))
}
