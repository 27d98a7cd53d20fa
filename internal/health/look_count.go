package health

import (
	"fmt"

	"github.com/sluicehq/sluice/internal/judge"
)

// LookCount counts the looks of a check since the stage was applied and its warm-up is over. The
// zero value is of no look.
type LookCount struct {
	Looks    int `json:"looks"`
	Breaches int `json:"breaches"`
}

// with adds a look. One that cannot be judged is none.
func (t LookCount) with(res Judged) LookCount {
	switch {
	case res.Breach:
		return LookCount{t.Looks + 1, t.Breaches + 1}
	case res.Verdict == judge.Pass:
		t.Looks++
	}
	return t
}

// again says that one more breach is harm though none lasted: in a third of the looks, and in twice
// as many as would be harm in a row. So a program looks that ends and starts for ever.
func (t LookCount) again(row int) bool {
	return t.Breaches+1 >= 2*row && 3*(t.Breaches+1) >= t.Looks+1
}

// words says how often, with one more breach.
func (t LookCount) words() string {
	return fmt.Sprintf("; again and again: in %d of %d looks", t.Breaches+1, t.Looks+1)
}
