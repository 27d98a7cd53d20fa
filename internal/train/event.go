package train

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Promoted is the result of a rollout that has passed everywhere.
const Promoted = "promoted"

// Submission asks for a place in the train.
type Submission struct {
	Release string `json:"release"`
	By      string `json:"by,omitempty"`
	Every   bool   `json:"every,omitempty"`
	// Override lets a barred release in.
	Override bool `json:"override,omitempty"`
	// Floor is a number that no fence of this unit has reached so far, outside of the train: one
	// made of the time.
	Floor int64 `json:"floor,omitempty"`
}

// ErrBarred is matched by the refusal of a release that was condemned, or withdrawn.
var ErrBarred = errors.New("the release was taken back before")

// Submit gives a release its number, and a place at the end. A newer release ends the hold that a
// way back has left.
func (l Ledger) Submit(s Submission) (Ledger, Number, []Command, error) {
	for _, b := range l.Barred {
		if b.Release != s.Release || s.Override {
			continue
		}
		if b.By == b.Number {
			return l, 0, nil, fmt.Errorf("%w: rollout %d of %s went back", ErrBarred, b.Number, s.Release)
		}
		return l, 0, nil, fmt.Errorf("%w: rollout %d of %s was withdrawn with rollout %d", ErrBarred, b.Number, s.Release, b.By)
	}
	if len(l.Open) > 0 && l.Term.full(l.Last+1) {
		return l, 0, nil, fmt.Errorf("%d rollouts have overlapped without a pause: wait until those under way have ended", slots/2)
	}
	l = l.clone()
	l.Last++
	if len(l.Open) == 0 {
		l.Term, l.Stale = l.Term.next(s.Floor, l.Last), false
	}
	if l.Hold != nil && l.Hold.After != 0 {
		l.Hold = nil
	}
	l.Open = append(l.Open, Rollout{Number: l.Last, Release: s.Release, By: s.By, Every: s.Every, State: Queued})
	return l, l.Last, l.advance(), nil
}

// After is the ledger of a train that follows one that was ended by hand, and whose rollouts have
// ended since: their numbers reach to last.
func (l Ledger) After(last Number) Ledger {
	l = l.clone()
	l.Last, l.Open, l.Stale = max(l.Last, last), nil, false
	return l
}

// RolloutReport is what a rollout tells its train: all of it, each time, as a Standing is.
type RolloutReport struct {
	Number Number `json:"number"`
	// Seq grows with every report of the rollout.
	Seq int64 `json:"seq"`
	// Heard is the version of the standing that it acts by.
	Heard int64 `json:"heard,omitempty"`
	// Plan is its plan's digest, and Stages how many that has; 0 before it is known.
	Plan   string `json:"plan,omitempty"`
	Stages int    `json:"stages,omitempty"`
	// Passed is how many stages have passed, and Wants asks for the next one.
	Passed int  `json:"passed,omitempty"`
	Wants  bool `json:"wants,omitempty"`
	// Guards says that every stage has passed, and that it watches on.
	Guards bool `json:"guards,omitempty"`
	// GoesBack says that it is condemned, by its checks or by a person, and takes back what it has
	// touched.
	GoesBack bool `json:"goesBack,omitempty"`
	// Result says how it has ended; empty before. Why says it in words.
	Result string `json:"result,omitempty"`
	Why    string `json:"why,omitempty"`
}

// Next is the Seq of the next report. It follows the time: a run that was reset repeats the numbers
// of the one before, and what it says then is to be heard.
func (p RolloutReport) Next(now time.Time) int64 { return max(p.Seq+1, now.UnixMilli()) }

// Hear is the ledger after a report. One of a rollout that is not under way, or that a newer one
// has overtaken, changes nothing.
func (l Ledger) Hear(p RolloutReport) (Ledger, []Command) {
	l = l.clone()
	r := l.find(p.Number)
	if r == nil || p.Seq <= r.Seq {
		return l, nil
	}
	if p.Heard > r.Told.Version { // the train was reset: it has told what it does not know of any more
		r.Told = Standing{Version: p.Heard + 1}
	}
	if r.Seq, r.Heard = p.Seq, max(r.Heard, p.Heard); acknowledged(r) {
		r.Dated = r.Term
	}
	r.Plan, r.Stages, r.Passed = p.Plan, p.Stages, max(r.Passed, p.Passed)
	r.Wants = p.Wants && r.State == Going && r.Passed == p.Passed && r.idle() && r.Passed < r.Stages
	switch {
	case p.GoesBack && r.State != Back && r.State != Lost:
		l.condemn(r)
	case p.Guards && r.State == Going:
		r.State = Guarding
	}
	if p.Result != "" {
		l.end(p.Number, p.Result, p.Why)
	}
	return l, l.advance()
}

// Comparison is what comes of comparing a rollout's plan with that of an older one.
type Comparison struct {
	// Needs says how many stages of the older one must have passed before each stage of it (see
	// Needs), and Covers that it has every target of that.
	Needs  []int `json:"needs"`
	Covers bool  `json:"covers,omitempty"`
}

// Compared is the ledger once the plan of a rollout was compared with that of an older one.
func (l Ledger) Compared(n, with Number, c Comparison) (Ledger, []Command) {
	l = l.clone()
	if r := l.find(n); r != nil && len(c.Needs) == r.Stages {
		r.Needs, r.Covers = maps.Clone(r.Needs), maps.Clone(r.Covers)
		if r.Needs == nil {
			r.Needs, r.Covers = map[Number][]int{}, map[Number]bool{}
		}
		r.Needs[with], r.Covers[with] = c.Needs, c.Covers
	}
	return l, l.advance()
}

// Gone is the ledger once a rollout was seen to have been ended by hand: nobody takes back what it
// has touched. One that had begun no stage has left nothing behind. One that had begun to go back
// is condemned, also where its report of that is still on its way.
func (l Ledger) Gone(n Number, wentBack bool) (Ledger, []Command) {
	l = l.clone()
	r := l.find(n)
	if r != nil && wentBack && r.State != Lost && r.WithdrawnBy == 0 {
		l.condemn(r)
	}
	switch {
	case r == nil || r.State == Lost || r.State == Queued:
		return l, nil
	case r.Granted == 0 && r.State != Back:
		l.end(n, "terminated", "it was ended by hand, and had begun no stage")
	default:
		r.State, r.Wants, r.Reserved = Lost, false, r.Granted
	}
	return l, l.advance()
}

// TakeBack is the ledger once a person has asked to take back what a lost rollout has touched: it
// is started once more.
func (l Ledger) TakeBack(n Number) (Ledger, []Command) {
	l = l.clone()
	r := l.find(n)
	if r == nil || r.State != Lost {
		return l, nil
	}
	l.condemn(r)
	return l, l.advance(n)
}

// Keep keeps every rollout of the unit from entering a stage, until Release.
func (l Ledger) Keep(why string) (Ledger, []Command) {
	l = l.clone()
	l.Hold = &Hold{Why: why}
	return l, l.advance()
}

// Release ends a hold, whatever it was for.
func (l Ledger) Release() (Ledger, []Command) {
	l = l.clone()
	l.Hold = nil
	return l, l.advance()
}

// remember keeps the newest of a list.
func remember[T any](list []T, most int, more ...T) []T {
	list = append(list, more...)
	return slices.Clone(list[max(0, len(list)-most):])
}
