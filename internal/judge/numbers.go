package judge

import (
	"math"
	"time"

	"github.com/sluicehq/sluice/internal/sequential"
)

// Numbers are what targets showed in one look: one number each, such as orders a minute. A target
// has the same place in every look, also in those before the change; NaN, an infinite number or
// none at its place is no number.
type Numbers struct {
	// At is when the look ends, since the change; before it, zero or negative.
	At               time.Duration
	Exposed, Control []float64
}

// MostTargets is how many targets of an arm are kept; numbers of more are left out.
const MostTargets = 200

// average is the mean of what one target showed.
type average struct{ n, mean float64 }

func (a average) add(x float64) average {
	a.n++
	a.mean += (x - a.mean) / a.n
	return a
}

// averages are those of an arm's targets, by place.
type averages []average

// usableNumber says that a number can be one.
func usableNumber(x float64) bool { return math.Abs(x) <= 1e100 }

// add takes a look's numbers, and answers how many there were, how many were none, and how many
// cannot be.
func (a *averages) add(numbers []float64) (used, left, absurd int) {
	for i, x := range numbers {
		switch {
		case i >= MostTargets || math.IsNaN(x):
			left++
			continue
		case !usableNumber(x):
			absurd++
			continue
		}
		for len(*a) <= i {
			*a = append(*a, average{})
		}
		(*a)[i] = (*a)[i].add(x)
		used++
	}
	return used, left, absurd
}

// at is a target's average; none where nothing was seen.
func (a averages) at(i int) average {
	if i < len(a) {
		return a[i]
	}
	return average{}
}

// means are the averages of targets that showed something.
func (a averages) means() []float64 {
	var out []float64
	for _, t := range a {
		if t.n > 0 {
			out = append(out, t.mean)
		}
	}
	return out
}

// sized says that nothing shown is below zero, and something is above: such numbers go up and down
// by a factor as a rule. Some may be idle.
func (a averages) sized() bool {
	some := false
	for _, t := range a {
		if t.n > 0 && !(t.mean >= 0) {
			return false
		}
		some = some || t.n > 0 && t.mean > 0
	}
	return some
}

func (a averages) pack() sequential.Packed {
	var out sequential.Packed
	for _, t := range a {
		out = append(out, t.n, t.mean)
	}
	return out
}

func unpacked(p sequential.Packed) averages {
	var out averages
	for i := 0; i+1 < len(p); i += 2 {
		out = append(out, average{p[i], p[i+1]})
	}
	return out
}

func summarize(values []float64) (m sequential.Stats) {
	for _, v := range values {
		m = m.Add(v)
	}
	return m
}
