package source

import "time"

// Span is a time in which an earlier rollout of the same unit ran: what its targets
// showed then is not how they usually are.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// During says that some of the spans covers a part of a time. What a rollout left behind
// is over one step after it.
func During(spans []Span, from, to time.Time, step time.Duration) bool {
	for _, s := range spans {
		if from.Before(s.To.Add(step)) && to.After(s.From) {
			return true
		}
	}
	return false
}
