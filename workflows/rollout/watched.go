package rollout

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// A bake counts while it is watched. What nobody watched is made up for before the gate, and so is
// what nobody watches while a stage that passed waits to be left.

// mostLonger is how often in a row a bake goes on for what nobody watched. Then the gate holds,
// which ends.
const mostLonger = 5

// baking is how long the stage must be watched: an adaptive bake that has ended early at least its
// least time. Before v0.2.0 nobody asked.
func (j *judging) baking() time.Duration {
	s := j.run.spec.Stages[j.stage]
	switch {
	case !j.run.since020:
		return 0
	case s.Adaptive != nil && j.Clock > 0:
		return s.Adaptive.Min.Std()
	}
	return s.Bake.Std()
}

// missing is how much of the bake nobody watched, where that is too much; else 0.
func (j *judging) missing() time.Duration { return j.Watched.Missing(j.baking()) }

// bakesOn lets the bake go on for what nobody watched of it, and answers whether it does. A person
// who lets the stage pass does not wait for that, and for checks without an answer the gate holds.
func (j *judging) bakesOn() bool {
	missing := j.missing()
	if missing == 0 || j.Longer >= mostLonger || j.overridden() || j.Passed != nil || !j.Last.Saw() {
		return false
	}
	j.Step, j.Clock = stepBake, missing
	j.Longer++
	return true
}

// attest says in a decision how much of the bake was watched, and holds what would promote on too
// little.
func (j *judging) attest(g *rollout.Gate) {
	if !j.run.since020 || g.Decision != rollout.Promote {
		return
	}
	words := fmt.Sprintf("watched %s of %s", j.shown(), j.rounded(max(j.baking(), j.Watched.For)))
	switch {
	case j.missing() == 0:
		g.Why += "; " + words
	case g.Override != nil && j.Last.Verdict() == health.Pass:
		g.Why = fmt.Sprintf("promoted by %s (%s) although too little of the bake was watched: %s; %s",
			g.Override.By, g.Override.Why, words, g.Why)
	case g.Override != nil:
		g.Why += "; " + words
	default:
		g.Decision, g.Why = rollout.Hold, "too little of the bake was watched: "+words+"; "+g.Why
	}
}

// take goes on from what a watch or a gate has seen.
func (j *judging) take(out activities.StageReport) {
	j.Input.State, j.Last, j.Watched = out.State, out.Report, out.Watched
}

// takeBeat goes on from the newest heartbeat of a watch that nobody has heard of since.
func (j *judging) takeBeat(err error) {
	var beat activities.StageReport
	timeout, ok := errors.AsType[*temporal.TimeoutError](err)
	if ok && timeout.HasLastHeartbeatDetails() && timeout.LastHeartbeatDetails(&beat) == nil {
		j.take(beat)
	}
}

func (j *judging) shown() spec.Duration { return j.rounded(j.Watched.For) }

// rounded is a part of a bake as people read it: in seconds, and in tenths of a short bake.
func (j *judging) rounded(d time.Duration) spec.Duration {
	to := time.Second
	if j.baking() < 10*time.Second {
		to /= 10
	}
	return spec.Duration(d.Round(to))
}

// show shows how much was watched.
func (j *judging) show() { j.run.State.Stages[j.stage].Watched = j.shown() }

// watching readies the account of a watch: while the clock of the bake ticks, what is watched
// counts, and what is not is made up for later. At any other time what is not watched takes from
// it; and in a pause of the bake nothing is added.
func (j *judging) watching(ticking bool) {
	baking := j.Step == stepBake
	j.Watched.Owing, j.Watched.Most = !baking || !ticking, j.run.spec.Stages[j.stage].Bake.Std()
	if baking && !ticking {
		j.Watched.Most = j.Watched.For
	}
}

// watched accounts for a watch up to the moment at which it is over. Of a bake no more counts than
// has passed by its clock.
func (j *judging) watched(before, passed time.Duration, now time.Time) {
	j.Watched = j.Watched.Sign(now, health.PaceOf(j.run.spec.Health))
	if !j.Watched.Owing {
		j.Watched.For = min(j.Watched.For, before+passed)
	}
	j.show()
}
