package health

import (
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
)

// Watched is how much of a stage was watched. Time counts while looks come at their pace: what lies
// between two signs of a watch that are further apart than two looks was watched by nobody,
// whatever is seen at its end. Times are the Temporal server's.
type Watched struct {
	// Until is the newest sign of a watch.
	Until time.Time `json:"until,omitzero"`
	// For is how long the stage was watched, at most Most.
	For  time.Duration `json:"for,omitempty"`
	Most time.Duration `json:"most,omitempty"`
	// Unseen is how long a watch has been at work since the newest look that had an answer of every
	// check. It counts once there is one, unless that comes too late.
	Unseen time.Duration `json:"unseen,omitempty"`
	// Owing takes from For what nobody watches: after the bake, when nothing waits for lost time to
	// be made up for.
	Owing bool `json:"owing,omitempty"`
}

// Pace is how often looks come.
type Pace struct {
	// Every is the time between two of them, and Blind how long looks may go without an answer.
	Every, Blind time.Duration
}

// PaceOf is the pace that a spec asks for. A source may be without an answer for as long as it
// takes to read a target twice after a restart.
func PaceOf(h spec.Health) Pace {
	return Pace{Every: h.Every.Std(), Blind: h.StaleAfter.Std() + 2*h.Every.Std()}
}

// Sign notes that a watch was at work at a moment.
func (w Watched) Sign(at time.Time, p Pace) Watched {
	gap := at.Sub(w.Until)
	if gap <= 0 { // as workers' views of the server's clock differ
		return w
	}
	w.Until = at
	if gap <= 2*p.Every {
		w.Unseen += gap
		return w
	}
	return w.lost(gap)
}

// Look notes that a look at a moment had an answer of every check, or had not.
func (w Watched) Look(at time.Time, saw bool, p Pace) Watched {
	w = w.Sign(at, p)
	switch {
	case !saw:
		return w
	case w.Unseen <= p.Blind:
		w.For = min(w.For+w.Unseen, w.Most)
	default:
		w = w.lost(w.Unseen)
	}
	w.Unseen = 0
	return w
}

// lost notes that nobody watched for so long.
func (w Watched) lost(gap time.Duration) Watched {
	if w.Owing {
		w.For = max(0, w.For-gap)
	}
	return w
}

// leastWatched is the share of a bake, in percent, that must have been watched.
const leastWatched = 90

// Missing is how much of a bake of some length nobody watched, where that is too much; else 0.
func (w Watched) Missing(bake time.Duration) time.Duration {
	if w.For >= bake/100*leastWatched {
		return 0
	}
	return bake - w.For
}

// Saw says that every check that decides had an answer, though perhaps not enough of one. That
// traffic cannot be counted yet is no blindness: it takes longer than others.
func (r Report) Saw() bool {
	decide := r.deciding()
	return len(decide) > 0 && !slices.ContainsFunc(decide, func(res Result) bool {
		return (res.Verdict == NoData || res.Verdict == Stale) && res.Check != spec.CheckTraffic
	})
}
