package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// glance is what matters of one rollout at a moment, for a screen of many.
type glance struct {
	Unit    string `json:"unit"`
	Release string `json:"release"`
	State   string `json:"state"`
	Stage   string `json:"stage"`
	RunID   string `json:"runId"`
	// Since is when the state began; zero if that is not known.
	Since time.Time `json:"since,omitzero"`
	Why   string    `json:"why"`
	// Worst is the check that stands worst, as of At; Old says that it was looked at more than two
	// looks ago.
	Worst string    `json:"worst,omitempty"`
	At    time.Time `json:"worstAt,omitzero"`
	Old   bool      `json:"old,omitempty"`
	// Ends says what ends the state, and Next what to type.
	Ends string `json:"ends"`
	Next string `json:"next"`
	// release is Release, and that it is taken back on purpose.
	release string
	// rank orders rollouts, the worst first.
	rank rank
	// finding is what Worst has found, without numbers.
	finding string
	// until is when the state ends by itself; zero where that is not known.
	until time.Time
}

// rank says how much a rollout needs a person.
type rank int

const (
	rankLocked rank = iota
	rankBack
	rankHolding
	rankSilent
	rankApproval
	rankPaused
	rankSuspicious
	rankWell
	rankEnded
)

// byRank sorts glances, the worst first, and of equals the one that has been so for longest.
func byRank(gs []glance) {
	slices.SortStableFunc(gs, func(a, b glance) int { return cmp.Or(cmp.Compare(a.rank, b.rank), a.Since.Compare(b.Since)) })
}

// glanceAt reduces a view to what matters now.
func glanceAt(v view, now time.Time) glance {
	g := glance{
		Unit: v.Unit, Release: v.Release, release: v.what(), State: phaseWord(v), Stage: v.Stage, RunID: v.RunID, Since: v.since(), Why: v.why(),
		rank: rankWell, Next: "sluice watch " + v.Unit,
	}
	g.worst(v, now)
	switch {
	case !v.running():
		g.rank, g.Ends, g.Next = rankEnded, "it has ended", "sluice explain "+v.Unit
	case v.State == nil || v.Remembered:
		g.rank, g.Ends = rankSilent, "ends when a worker answers"
		g.Next = "sluice-worker   starts one where none is up"
		if p := rollout.Phase(v.Phase); v.State == nil && p != rollout.PhaseIndexed {
			g.waiting(v, p)
		}
	default:
		g.waiting(v, v.State.Phase)
	}
	return g
}

// waiting says what a rollout in a phase waits for, how much that matters, and what to type.
func (g *glance) waiting(v view, p rollout.Phase) {
	s := v.State
	if s == nil {
		s = &rollout.State{}
	}
	var st rollout.StageState
	if s.Stage < len(s.Stages) {
		st = s.Stages[s.Stage]
	}
	g.until = st.BakeEnds
	switch {
	case p == rollout.PhaseLocked:
		_, n := s.Left()
		g.rank, g.Ends = rankLocked, "ends when a person has "+plural(n, "target")+" tried again, or gives up"
		g.Next = fmt.Sprintf(`sluice retry-rollback %s   or: sluice give-up %[1]s --why "…"`, v.Unit)
	case p == rollout.PhaseVerify:
		g.rank, g.Ends = rankBack, "ends when the checks have recovered, or rollback.recover is over"
	case p.GoesBack() || s.Aborted != nil:
		g.rank, g.Ends = rankBack, "ends when every touched target is back"
		if _, n := s.Left(); n > 0 {
			g.Ends += ": " + plural(n, "target") + " not yet"
		}
	case p == rollout.PhaseHold && s.Paused == nil:
		g.rank, g.Ends = rankHolding, holdEnds(st)
		g.Next = fmt.Sprintf(`sluice abort %s --why "…"   or: sluice promote %[1]s --why "…"`, v.Unit)
	case p == rollout.PhaseApproval:
		g.rank, g.Ends, g.Next = rankApproval, "ends when a person approves", "sluice approve "+v.Unit
		if i := s.Awaited(); i >= 0 {
			g.Ends, g.Next = "ends when a person approves "+s.Stages[i].Name, g.Next+" --stage "+s.Stages[i].Name
			g.Stage = st.Name + " → " + s.Stages[i].Name
			g.orBack(s.Stages[i].ApproveBy, "a person approves "+s.Stages[i].Name)
		}
	case p == rollout.PhaseTurn:
		unit, _, _ := strings.Cut(v.Unit, ":")
		g.Why, g.Ends = "waits for its turn in the train", "ends when nothing is before it: "+strings.TrimPrefix(s.Why, rollout.Turn)
		g.Next = "sluice train " + unit
	case s.Paused != nil:
		g.rank, g.State, g.Since = rankPaused, phasePaused+", "+string(p), s.Paused.At
		g.Why, g.Next = "paused by "+whoAndWhy(*s.Paused), "sluice resume "+v.Unit
		g.Ends = "ends when a person resumes it; harm still rolls it back"
		g.orBack(s.Paused.Until, "a person resumes it")
	case p == rollout.PhaseBake && !st.BakeEnds.IsZero():
		g.Ends = "the bake ends in " + left
	default:
		g.Ends = "ends when the step is done"
	}
	unusual := !slices.Contains([]string{"", string(health.OKSoFar), string(health.NotYet)}, g.finding)
	if g.rank == rankWell && (len(v.Retrying) > 0 || g.Old || unusual) {
		g.rank = rankSuspicious
	}
	if len(v.Retrying) > 0 {
		g.Why = v.Retrying[0].String()
	}
}

// orBack says when a rollout goes back unless a person acts; by is zero where it waits for ever.
func (g *glance) orBack(by time.Time, unless string) {
	if g.until = by; !by.IsZero() {
		g.Ends = "rolls back in " + left + " unless " + unless
	}
}

// holdEnds says what ends a hold.
func holdEnds(st rollout.StageState) string {
	switch {
	case st.BakeEnds.IsZero():
		return "ends when a person promotes or aborts, or every check passes"
	case st.Undecided == spec.UndecidedWait:
		return "asks a person in " + left + " unless every check passes"
	}
	return "rolls back in " + left + " unless every check passes"
}

// left stands where Ends says how long that still is.
const left = "{left}"

// ends words what ends the state, with how long that is from now.
func (g glance) ends(now time.Time) string {
	return strings.ReplaceAll(g.Ends, left, span(g.until.Sub(now)))
}

// worst notes the check that stands worst.
func (g *glance) worst(v view, now time.Time) {
	r := v.report()
	if r == nil || len(r.Results) == 0 || !v.running() || v.State != nil && v.State.Phase.GoesBack() {
		return
	}
	res := slices.MinFunc(r.Results, func(a, b health.Result) int { return badness(b) - badness(a) })
	g.Worst, g.At, g.finding = res.Name()+" "+res.Word()+": "+sentence(res), r.At, finding(res)
	g.Old = v.State != nil && isOld(*v.State, r.At, now)
	if res.Advisory {
		g.finding = ""
	}
}

// badness orders results: harm before what is suspicious, that before what is not known, and what
// only advises after everything that decides.
func badness(r health.Result) int {
	n := 0
	switch {
	case r.Verdict == health.Fail:
		n = 3
	case r.Standing == health.Suspicious:
		n = 2
	case finding(r) != string(health.OKSoFar):
		n = 1
	}
	if r.Advisory {
		n -= 4
	}
	return n
}

// isOld says whether numbers are older than two looks.
func isOld(s rollout.State, at, now time.Time) bool {
	return s.Outcome == nil && s.Every > 0 && now.Sub(at) > 2*s.Every.Std()
}

// since is when what the rollout does began; zero if that is not known.
func (v view) since() time.Time {
	switch {
	case !v.running():
		return v.ClosedAt
	case v.State != nil:
		return v.State.Since
	}
	return time.Time{}
}

// sinceWord words how long that is ago.
func sinceWord(since, now time.Time) string {
	if since.IsZero() {
		return "–"
	}
	return span(now.Sub(since))
}

// why is what the rollout does or waits for in its own words, or why these are missing.
func (v view) why() string {
	if v.State == nil || v.Remembered {
		return v.Trouble
	}
	return v.State.Why
}
