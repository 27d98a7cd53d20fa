package health

import (
	"fmt"
	"math"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

// targetState is how a target does.
type targetState int

// The states that are judged come first, the worst of them last.
const (
	inside   targetState = iota
	doubtful             // outside its limit, by more than chance may explain and less than harm
	breaches             // harm is established
	idle                 // too little traffic
	unknown              // no data
)

// placed is one target's state with its number.
type placed struct {
	id           string
	is           targetState
	ratio        ratio // where it has one
	value, limit float64
	words        string // the number as evidence
	// excess orders targets: how far the number is beyond its limit.
	excess float64
	why    source.Reading // of what is unknown
}

// look compares a target's number with its limit.
func (e perTargetInput) look(c spec.Check, m member) placed {
	v := placed{id: m.id, ratio: m.ratio}
	if c.Value != "" {
		return lookValue(c, v, m.value.Usable())
	}
	r := m.ratio.counted()
	switch {
	case r.Verdict == Unexercised, r.Verdict == "" && m.ratio.total.Value < math.Max(1, float64(c.MinSamples)):
		v.is = idle // also where it was read only once
		return v
	case r.Verdict != "":
		v.is, v.why = unknown, r
		return v
	}
	v.value, v.limit = m.ratio.value(), e.limit(c)
	v.excess = v.value - v.limit
	v.words = m.id + " " + m.ratio.String()
	switch {
	case m.ratio.contradicts() && (v.excess <= 0 || c.Against != ""):
		v.is, v.why = unknown, source.NoData("", "more bad events than events in total (%s)", m.ratio)
	case v.excess > 0:
		v.is = breaches
	}
	return v
}

// limit is what a target's ratio is compared with.
func (e perTargetInput) limit(c spec.Check) float64 {
	if c.Against != "" {
		return e.control.value() * (1 + number(c.Worse))
	}
	return number(c.Max)
}

func lookValue(c spec.Check, v placed, r source.Reading) placed {
	if r.Verdict != "" {
		v.is, v.why = unknown, r
		return v
	}
	v.value = r.Value
	above, below := math.Inf(-1), math.Inf(-1)
	if c.Max != nil {
		above = r.Value - number(c.Max)
	}
	if c.Min != nil {
		below = number(c.Min) - r.Value
	}
	word := "above"
	v.limit, v.excess = number(c.Max), above
	if below > above {
		word, v.limit, v.excess = "below", number(c.Min), below
	}
	value, limit := humanize.Apart(humanize.PlainTo, 4, v.value, v.limit)
	v.words = v.id + " " + value
	if v.excess > 0 {
		v.is, v.words = breaches, fmt.Sprintf("%s %s %s the limit %s", v.id, value, word, limit)
	}
	return v
}

// established says whether a ratio above its limit is harm, when so many targets are looked at.
func (e perTargetInput) established(c spec.Check, v placed, targets float64) targetState {
	bad, total := v.ratio.bad.Value, v.ratio.total.Value
	likely := sequential.BinomialTail(bad, max(bad, total), v.limit)
	if c.Against != "" { // of all bad events, how many would be the target's?
		mine, all := total*(1+number(c.Worse)), bad+e.control.bad.Value
		likely = sequential.BinomialTail(bad, all, mine/(mine+e.control.total.Value))
	}
	few := bad < minBad && (c.Against != "" || v.limit > 0)
	switch {
	case v.ratio.contradicts():
		return breaches
	case likely*targets >= noise:
		return inside
	case likely*targets > outlierChance || few:
		return doubtful
	}
	return breaches
}
