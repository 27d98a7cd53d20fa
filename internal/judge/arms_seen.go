package judge

import "time"

// armsSeen is when the arms were there to be compared. Its zero value has seen nothing.
type armsSeen struct {
	// Newest is when both arms were last seen, Seen when the exposed one was.
	Newest time.Duration `json:"newest,omitempty"`
	Seen   time.Duration `json:"seen,omitempty"`
	// Any says that some look had both.
	Any bool `json:"any,omitempty"`
}

// staleAfter is how many intervals old the newest look may be.
const staleAfter = 2

// absent is the verdict where the arms cannot be compared at a moment, since they were
// not seen, or not lately; it is empty where they can.
func (p armsSeen) absent(c Criteria, at time.Duration) (verdict Verdict, why string) {
	late := at - p.Newest
	switch {
	case !p.Any && p.Seen > 0:
		return NoData, "nothing to compare with: " + c.other() + " was not seen"
	case !p.Any:
		return NoData, "nothing was seen since the change"
	case c.Every > 0 && late > staleAfter*c.Every:
		return Stale, "exposed targets and " + c.other() + " were last seen " + late.String() + " ago"
	}
	return "", ""
}
