package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// Back is how many targets run a release again.
type Back struct {
	// Release is empty where they run none, as before.
	Release string `json:"release"`
	Targets int    `json:"targets"`
}

// maxBack is how many releases are told apart: a payload has no room for one for each of 100,000
// targets.
const maxBack = 20

// CountBack adds n targets that are back on a release to the counts so far. Of many releases it
// counts the first.
func CountBack(counts []Back, release string, n int) []Back {
	i := slices.IndexFunc(counts, func(b Back) bool { return b.Release == release })
	switch {
	case i < 0 && len(counts) == maxBack:
		return counts
	case i < 0:
		return append(slices.Clone(counts), Back{release, n})
	}
	counts = slices.Clone(counts)
	counts[i].Targets += n
	return counts
}

// BackWord says on which release the targets are again, such as "back on 2.4.0: 9 targets; on
// 2.3.9: 3". It is empty where that is not known.
func (o Outcome) BackWord() string {
	const most = 5
	all := slices.Clone(o.Back)
	slices.SortStableFunc(all, func(a, b Back) int { return b.Targets - a.Targets })
	var parts []string
	rest := o.Reverted
	for i, b := range all[:min(most, len(all))] {
		rest -= b.Targets
		where, count := "on "+PlainText(b.Release), fmt.Sprint(b.Targets)
		if b.Release == "" {
			where = "without the unit, as before"
		}
		if i == 0 {
			where, count = "back "+where, counted(b.Targets)
		}
		parts = append(parts, where+": "+count)
	}
	if rest > 0 && len(parts) > 0 {
		parts = append(parts, fmt.Sprintf("on others: %d", rest))
	}
	return strings.Join(parts, "; ")
}

func counted(n int) string {
	if n == 1 {
		return "1 target"
	}
	return fmt.Sprintf("%d targets", n)
}
