package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/lab/sim"
	"github.com/sluicehq/sluice/internal/rollout"
)

// violation is a rule that was broken, and how.
type violation struct {
	rule rule
	how  string
}

func (v violation) String() string { return string(v.rule) + ": " + v.how }

// rule is a promise that a rollout must keep whatever is killed.
type rule string

// The rules, as docs/reliability.md has them.
const (
	ruleOrder    rule = "order"    // no release before every earlier stage was passed
	ruleEnd      rule = "end"      // every touched target runs the release or what it ran before, or is named
	ruleFence    rule = "fence"    // a late order never overwrites a newer one
	ruleVerdict  rule = "verdict"  // no promotion without a PASS or a named person with a reason
	ruleSame     rule = "same end" // kills change when things happen, never what happens
	ruleBake     rule = "bake"     // no stage is left before its bake was over, but for a named person
	ruleWatched  rule = "watched"  // and at least 90 % of it was watched
	ruleExposure rule = "exposure" // never more targets on the release than the stage's reach
)

func (r rule) broken(format string, args ...any) violation {
	return violation{r, fmt.Sprintf(format, args...)}
}

// check judges a rollout by what is known of it. It is pure. A rollout that broke no rule, but
// ended otherwise than it would have without kills, answers why that is allowed.
func check(e evidence) (broken []violation, changed string) {
	if e.state.Outcome == nil {
		return []violation{{ruleSame, fmt.Sprintf("it has not ended within %s", patience)}}, ""
	}
	broken = slices.Concat(checkOrder(e), checkExposure(e), checkFences(e), e.ofRuns(e.checkVerdicts), e.ofRuns(e.checkBakes), checkEnd(e))
	got, want := e.state.Outcome.Result, e.expected()
	if got == want {
		return broken, ""
	}
	if changed = e.allowed(); changed == "" {
		broken = append(broken, ruleSame.broken("ended as %s, expected %s: %s", got, want, e.state.Outcome.Why))
	}
	return broken, changed
}

// expected is how the rollout ends when nothing is killed. An abort counts once it was taken.
func (e evidence) expected() rollout.Phase {
	if !e.trial.scenario.aborted {
		return e.trial.scenario.end
	}
	for _, s := range e.runs() {
		if s.Fence == e.state.Fence && s.Aborted != nil { // the newest run, or one that it continues or was reset from
			return rollout.PhaseAborted
		}
	}
	return rollout.PhasePromoted // it came too late, or had not been sent yet
}

// passed answers when a stage was promoted by the run that an order belongs to; false if it was
// not. A run that is continued or reset has the fence of the one before.
func (e evidence) passed(fence int64, stage int) (time.Time, bool) {
	for _, s := range e.runs() {
		if at, ok := passed(s, stage); ok && s.Fence == fence {
			return at, true
		}
	}
	return time.Time{}, false
}

func passed(s rollout.State, stage int) (time.Time, bool) {
	if stage >= len(s.Stages) {
		return time.Time{}, false
	}
	gates := s.Stages[stage].Gates
	if len(gates) == 0 || gates[len(gates)-1].Decision != rollout.Promote {
		return time.Time{}, false
	}
	return gates[len(gates)-1].At, true
}

// runs are the states of all runs, oldest first.
func (e evidence) runs() []rollout.State { return append(slices.Clone(e.earlier), e.state) }

// stageOf is the stage that brings the release to a target; -1 if none does.
func stageOf(cohorts [][]string, target string) int {
	return slices.IndexFunc(cohorts, func(c []string) bool { return slices.Contains(c, target) })
}

// checkOrder looks whether a target was sent the release before every earlier stage was passed,
// whether it took it or not.
func checkOrder(e evidence) []violation {
	var out []violation
	for _, o := range e.orders {
		if o.Drift || o.Release != e.release {
			continue
		}
		stage := stageOf(e.cohorts, o.Target)
		if stage < 0 {
			out = append(out, ruleOrder.broken("%s got the release and is in no stage", o.Target))
		}
		for i := range max(0, stage) {
			if at, ok := e.passed(o.Fence, i); !ok || o.Time.Before(at) {
				out = append(out, ruleOrder.broken("%s of stage %d got the release at %s, before stage %d was passed",
					o.Target, stage, o.Time.Local().Format(clock), i))
				break
			}
		}
	}
	return out
}

// checkExposure looks how many targets ran the release at once.
func checkExposure(e evidence) []violation {
	var out []violation
	on := map[string]bool{}
	for _, o := range accepted(e.orders) {
		if o.Release != e.release {
			delete(on, o.Target)
			continue
		}
		on[o.Target] = true
		reach := 0
		for i, c := range e.cohorts {
			reach += len(c)
			if at, ok := e.passed(o.Fence, i); !ok || o.Time.Before(at) {
				break
			}
		}
		if len(on) > reach {
			out = append(out, ruleExposure.broken("%d targets ran the release at %s, and the stage reached %d",
				len(on), o.Time.Local().Format(clock), reach))
		}
	}
	return out
}

func accepted(orders []sim.Entry) []sim.Entry {
	return slices.DeleteFunc(slices.Clone(orders), func(o sim.Entry) bool { return !o.Accepted })
}

// checkFences looks whether an older order was taken after a newer one, and whether each target
// runs what the newest order asked for.
func checkFences(e evidence) []violation {
	var out []violation
	forth, back, newest := map[int64]bool{}, map[int64]bool{}, map[string]sim.Entry{}
	for _, s := range e.runs() {
		forth[s.Fence], back[s.Fence+1] = true, true
	}
	for _, o := range accepted(e.orders) {
		last, seen := newest[o.Target]
		switch {
		case seen && o.Fence < last.Fence:
			out = append(out, ruleFence.broken("%s took fence %d after %d", o.Target, o.Fence, last.Fence))
		case seen && o.Fence == last.Fence && o.Release != last.Release:
			out = append(out, ruleFence.broken("%s took %q and then %q with the same fence %d",
				o.Target, last.Release, o.Release, o.Fence))
		case (!forth[o.Fence] || o.Release != e.release) && (!back[o.Fence] || o.Release != e.before):
			out = append(out, ruleFence.broken("%s took %q with fence %d, and the rollout's is %d",
				o.Target, o.Release, o.Fence, e.state.Fence))
		}
		newest[o.Target] = o
	}
	for _, t := range e.final {
		want := e.before
		effective := e.release
		if strings.Contains(e.release, "noeffect") {
			effective = e.before
		}
		switch o, touched := newest[t.ID]; {
		case touched && o.Release == e.release:
			want = effective
		case touched:
			want = o.Release
		}
		if t.Release != want {
			out = append(out, ruleFence.broken("%s runs %q, and its newest order was %q", t.ID, t.Release, want))
		}
	}
	return out
}

// ofRuns checks each run.
func (e evidence) ofRuns(check func(rollout.State) []violation) []violation {
	var out []violation
	for _, s := range e.runs() {
		out = append(out, check(s)...)
	}
	return out
}

// checkVerdicts looks whether every stage that was left had a PASS at its last gate, or a person
// who said why.
func (e evidence) checkVerdicts(run rollout.State) []violation {
	var out []violation
	for i, s := range run.Stages {
		for n, g := range s.Gates {
			if g.Decision == rollout.Promote && !vouched(g) {
				out = append(out, ruleVerdict.broken("gate %d of %s promoted on %s", n+1, s.Name, g.Report.Verdict()))
			}
		}
		promoted := run.Outcome != nil && run.Outcome.Result == rollout.PhasePromoted
		left := !s.DoneAt.IsZero() || i < run.Stage || promoted
		if _, ok := e.passed(run.Fence, i); left && !ok {
			out = append(out, ruleVerdict.broken("%s was left without a gate that promoted", s.Name))
		}
	}
	return out
}

// checkBakes looks whether each stage was watched for as long as it bakes, whoever was dead
// meanwhile.
func (e evidence) checkBakes(run rollout.State) []violation {
	var out []violation
	for i, s := range run.Stages {
		at, ok := passed(run, i)
		if !ok || s.AppliedAt.IsZero() || s.Gates[len(s.Gates)-1].Override != nil {
			continue
		}
		if baked := at.Sub(s.AppliedAt); baked < s.Bake.Std() {
			out = append(out, ruleBake.broken("%s was promoted after %s, and bakes for %s", s.Name, baked, s.Bake))
		}
		least := s.Bake.Std() * 9 / 10
		if s.Watched.Std() < least {
			out = append(out, ruleWatched.broken("%s was promoted, and %s of its bake of %s was watched", s.Name, s.Watched, s.Bake))
		}
		up := at.Sub(s.AppliedAt) - e.withoutWorker(s.AppliedAt, at)
		if up < least-run.Every.Std() { // one look may fail to come
			out = append(out, ruleWatched.broken("%s was promoted, and a worker was there for %s of its bake of %s", s.Name, up, s.Bake))
		}
	}
	return out
}

// withoutWorker is for how much of a time there was no worker, or one that stood still.
func (e evidence) withoutWorker(from, to time.Time) time.Duration {
	gone := time.Duration(0)
	for _, h := range e.hits {
		if h.victim.process() == worker && h.victim != shifted {
			gone += time.Duration(max(0, min(h.up.UnixNano(), to.UnixNano())-max(h.at.UnixNano(), from.UnixNano())))
		}
	}
	return gone
}

// vouched says whether evidence or a person stands for a promotion.
func vouched(g rollout.Gate) bool {
	if g.Report.Verdict() == health.Pass {
		return true
	}
	o := g.Override
	if o == nil || !strings.ContainsFunc(o.By, unicode.IsLetter) || !strings.ContainsFunc(o.Why, unicode.IsLetter) {
		return false
	}
	return g.Report.Verdict() != health.Fail || o.Override
}

// checkEnd looks at what the targets run when all is over.
func checkEnd(e evidence) []violation {
	var out []violation
	result := e.state.Outcome.Result
	named := map[string]bool{}
	for _, t := range e.state.Outcome.NotReverted {
		named[t.ID] = true
	}
	touched := map[string]bool{}
	for _, o := range accepted(e.orders) {
		if o.Fence >= e.state.Fence { // what an earlier run has changed is to be back or named
			touched[o.Target] = true
		}
	}
	for _, t := range e.final {
		right := t.Release == e.before
		if result == rollout.PhasePromoted {
			right = t.Release == e.release
		}
		if !right && !named[t.ID] {
			out = append(out, ruleEnd.broken("%s runs %q and is not named, although the rollout is %s", t.ID, t.Release, result))
		}
		if result == rollout.PhaseRefused && touched[t.ID] {
			out = append(out, ruleEnd.broken("%s was changed, although the rollout was refused", t.ID))
		}
	}
	switch {
	case result == rollout.PhaseIncomplete && len(named) == 0:
		out = append(out, ruleEnd.broken("it is incomplete and names no target"))
	case result != rollout.PhaseIncomplete && len(named) > 0:
		out = append(out, ruleEnd.broken("it is %s, and yet names %d targets", result, len(named)))
	}
	return out
}
