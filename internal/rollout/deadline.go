package rollout

import (
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
)

// SignalDeadline stands where an abort would: nobody has approved or resumed in time.
const SignalDeadline = "deadline"

// Due is when the rollout goes back unless a person approves or resumes before, and why; zero while
// no deadline runs. A pause does not stop the deadline of an approval.
func (s State) Due() (at time.Time, why string) {
	if s.GoingBack() {
		return at, why
	}
	if p := s.Paused; p != nil && !p.Until.IsZero() {
		at, why = p.Until, fmt.Sprintf("nobody has ended the pause of %s within %s", p.By, spec.Duration(p.Until.Sub(p.At)))
	}
	i := approvable(s, "")
	if i < 0 {
		return at, why
	}
	if st := s.Stages[i]; !st.ApproveBy.IsZero() && (at.IsZero() || st.ApproveBy.Before(at)) {
		at, why = st.ApproveBy, fmt.Sprintf("nobody has approved stage %s in time", st.Name)
	}
	return at, why
}

// Expire ends what goes forward because of a deadline that is over.
func (s *State) Expire(why string, now time.Time) {
	s.Aborted = &Control{Signal: SignalDeadline, By: "a deadline", Why: why, At: now}
	s.note(*s.Aborted)
}
