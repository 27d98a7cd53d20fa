package health

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/spec"
)

// Of many healthy targets some are the worst by chance. These are how likely a fleet
// of targets that are just at their limit may be to show one like it.
const (
	// outlierChance or less establishes harm. It is small, since looks are many.
	outlierChance = 1e-4
	// noise or more passes; between the two more events are needed.
	noise = byChance
)

// everyone is what a check of each target judges.
type everyone struct {
	// targets are all that were asked about, of so many.
	targets []member
	of      int
	control ratio // to compare with, of all its targets together
	before  bool  // the control is the exposed targets before the stage
	// whole is what concerns all targets, and the evidence.
	whole []reading
	// missed are the targets that had no data before the stage either, and silent is
	// how many others may have none.
	missed map[string]bool
	silent int
}

// member is what one target showed: bad and total events, or the value.
type member struct {
	id    string
	ratio ratio
	value reading
}

// standing is how a target does.
type standing int

const (
	inside   standing = iota
	breaches          // harm is established
	doubtful          // outside its limit, by more than chance may explain and less than harm
	idle              // too little traffic
	unknown           // no data
)

// verdict is one target's standing with its number.
type verdict struct {
	id           string
	is           standing
	value, limit float64
	words        string // the number as evidence
	// excess orders targets: how far the number is beyond its limit.
	excess float64
	why    reading // of what is unknown
}

// judgeEach is the verdict on every single target. It is pure: streak is how many
// looks in a row have breached already.
func judgeEach(c spec.Check, e everyone, streak int) judged {
	res := Result{Check: c.Name}
	for _, r := range e.whole {
		res.evidence(r)
	}
	for _, r := range e.whole {
		if r.verdict != "" {
			return judged{Result: res.without(r)}
		}
	}
	switch {
	case !sound(c):
		return judged{Result: res.without(noData("", "it has no limit to judge by"))}
	case len(e.targets) == 0:
		return judged{Result: res.without(noData("", "no target to judge"))}
	case c.Against != "":
		if r := comparable(c, e.control); r.verdict != "" {
			return judged{Result: res.without(r)}
		}
	}
	t := e.tally(c)
	if len(t.ranked) > 0 {
		worst := t.ranked[0]
		res.Value, res.Limit, res.Samples = &worst.value, &worst.limit, t.samples
	}
	verdict, sentence := t.conclude(c, e)
	res.Sentence = sentence
	if n := len(e.targets); n < e.of {
		res.Sentence += fmt.Sprintf(" [read on %s of %s targets]", integer(float64(n)), integer(float64(e.of)))
	}
	switch verdict {
	case Fail:
		return tolerate(c, res, true, streak)
	case Pass:
		return tolerate(c, res, false, streak).only(e.whole...)
	}
	res.Verdict = verdict
	return judged{Result: res}
}

// comparable says what is wrong with a control.
func comparable(c spec.Check, control ratio) reading {
	need := math.Max(1, float64(c.MinSamples))
	for _, r := range []reading{control.total, control.bad} {
		if r = r.counted(); r.verdict != "" {
			return r
		}
	}
	switch {
	case control.total.value < need:
		return reading{verdict: Unexercised, why: fmt.Sprintf("%s events to compare with, at least %s are needed", integer(control.total.value), integer(need))}
	case control.contradicts():
		return noData("", "more bad events than events in total (control %s): do bad and total count the same things?", control)
	}
	return reading{}
}

// tally is the standing of all targets.
type tally struct {
	ranked  []verdict // those with a number that is judged, worst first
	unknown []verdict // by id
	missed  int       // of the unknown, those that had no data before either
	idle    int
	samples float64
}

// tally judges each target. What chance alone may do depends on how many are judged.
func (e everyone) tally(c spec.Check) tally {
	var t tally
	for _, m := range e.targets {
		v := e.look(c, m)
		switch v.is {
		case unknown:
			t.unknown = append(t.unknown, v)
			if e.missed[m.id] {
				t.missed++
			}
		case idle:
			t.idle++
		default:
			t.ranked = append(t.ranked, v)
			t.samples += m.ratio.total.value
		}
	}
	of := make(map[string]member, len(e.targets))
	for _, m := range e.targets {
		of[m.id] = m
	}
	for i, v := range t.ranked {
		if v.is == breaches && c.Value == "" {
			t.ranked[i].is = e.established(c, of[v.id].ratio, v, float64(len(t.ranked)))
		}
	}
	slices.SortFunc(t.ranked, func(a, b verdict) int {
		return cmp.Or(cmp.Compare(severity(b.is), severity(a.is)), cmp.Compare(b.excess, a.excess), cmp.Compare(a.id, b.id))
	})
	slices.SortFunc(t.unknown, func(a, b verdict) int { return cmp.Compare(a.id, b.id) })
	return t
}

func severity(s standing) int {
	return map[standing]int{breaches: 2, doubtful: 1}[s]
}

// look compares a target's number with its limit.
func (e everyone) look(c spec.Check, m member) verdict {
	v := verdict{id: m.id}
	if c.Value != "" {
		return lookValue(c, v, m.value.usable())
	}
	for _, r := range []reading{m.ratio.total, m.ratio.bad} {
		switch r = r.counted(); r.verdict {
		case "":
		case Unexercised: // it was read only once
			v.is = idle
			return v
		default:
			v.is, v.why = unknown, r
			return v
		}
	}
	if m.ratio.total.value < math.Max(1, float64(c.MinSamples)) {
		v.is = idle
		return v
	}
	v.value, v.limit = m.ratio.value(), e.limit(c)
	v.excess = v.value - v.limit
	v.words = m.id + " " + m.ratio.String()
	switch {
	case m.ratio.contradicts() && (v.excess <= 0 || c.Against != ""):
		v.is, v.why = unknown, noData("", "more bad events than events in total (%s)", m.ratio)
	case v.excess > 0:
		v.is = breaches
	}
	return v
}

// limit is what a target's ratio is compared with.
func (e everyone) limit(c spec.Check) float64 {
	if c.Against != "" {
		return e.control.value() * (1 + number(c.Worse))
	}
	return number(c.Max)
}

func lookValue(c spec.Check, v verdict, r reading) verdict {
	if r.verdict != "" {
		v.is, v.why = unknown, r
		return v
	}
	v.value = r.value
	above, below := math.Inf(-1), math.Inf(-1)
	if c.Max != nil {
		above = r.value - number(c.Max)
	}
	if c.Min != nil {
		below = number(c.Min) - r.value
	}
	word := "above"
	v.limit, v.excess = number(c.Max), above
	if below > above {
		word, v.limit, v.excess = "below", number(c.Min), below
	}
	value, limit := apart(plainTo, 4, v.value, v.limit)
	v.words = v.id + " " + value
	if v.excess > 0 {
		v.is, v.words = breaches, fmt.Sprintf("%s %s %s the limit %s", v.id, value, word, limit)
	}
	return v
}

// established says whether a ratio above its limit is harm, when so many targets
// are looked at.
func (e everyone) established(c spec.Check, r ratio, v verdict, targets float64) standing {
	bad, total := r.bad.value, r.total.value
	likely := beyond(bad, max(bad, total), v.limit)
	if c.Against != "" { // of all bad events, how many would be the target's?
		mine, all := total*(1+number(c.Worse)), bad+e.control.bad.value
		likely = beyond(bad, all, mine/(mine+e.control.total.value))
	}
	few := bad < minBad && (c.Against != "" || v.limit > 0)
	switch {
	case r.contradicts():
		return breaches
	case likely*targets >= noise:
		return inside
	case likely*targets > outlierChance || few:
		return doubtful
	}
	return breaches
}

// conclude is the verdict on all, before anything is tolerated over time.
func (t tally) conclude(c spec.Check, e everyone) (Verdict, string) {
	all := len(e.targets)
	// Half of the targets are no outliers.
	allowed := min(c.Outliers, (all-1)/2)
	out, doubts := 0, 0
	for _, v := range t.ranked {
		switch v.is {
		case breaches:
			out++
		case doubtful:
			doubts++
		}
	}
	missing := max(0, len(t.unknown)-t.missed-e.silent)
	switch {
	case out > allowed:
		return Fail, t.named(c, e, out, allowed)
	case out+missing > allowed && missing > 0:
		return t.unknown[0].lacking(t.unknown), t.dark(e)
	case 2*len(t.ranked) < all:
		return Unexercised, t.thin(c, all)
	case out+doubts+missing > allowed:
		return Unexercised, t.named(c, e, out+doubts, allowed) + ", more than chance explains and too few bad events to establish harm: more events are needed"
	case out+doubts > 0:
		return Pass, t.named(c, e, out+doubts, allowed) + t.rest(c)
	}
	return Pass, t.fine(c, e) + t.rest(c)
}

// lacking is NODATA, or STALE when all that is unknown is.
func (verdict) lacking(unknown []verdict) Verdict {
	for _, v := range unknown {
		if v.why.verdict != Stale {
			return NoData
		}
	}
	return Stale
}

// named names the worst targets.
func (t tally) named(c spec.Check, e everyone, n, allowed int) string {
	const few = 5
	var words []string
	for _, v := range t.ranked[:min(n, few)] {
		words = append(words, cut(v.words, 200))
	}
	s := strings.Join(words, ", ")
	if n > few {
		s += fmt.Sprintf(" and %d more", n-few)
	}
	if c.Value == "" {
		s += ", " + e.limited(c, t.ranked[0].value)
	}
	s += fmt.Sprintf("; %d of %d targets", n, len(e.targets))
	if allowed > 0 {
		s += fmt.Sprintf(", up to %d are tolerated", allowed)
	}
	return s
}

// limited words the limit of a ratio, so that it can be told from the value.
func (e everyone) limited(c spec.Check, value float64) string {
	_, limit := apart(percentTo, 2, value, e.limit(c))
	if c.Against == "" {
		return "limit " + limit
	}
	with := "control"
	if e.before {
		with = "before the stage (no control is left: the weaker comparison)"
	}
	return fmt.Sprintf("limit %s (%s %s, +%s)", limit, with, e.control, percent(number(c.Worse)))
}

// fine words that all that are judged are inside, and names the worst.
func (t tally) fine(c spec.Check, e everyone) string {
	worst := t.ranked[0]
	who := fmt.Sprintf("%d of %d targets inside", len(t.ranked), len(e.targets))
	if len(t.ranked) == len(e.targets) {
		who = fmt.Sprintf("all %d targets inside", len(e.targets))
	}
	limit := "the limit " + plain(worst.limit)
	if c.Value == "" {
		limit = e.limited(c, worst.value)
	}
	s := fmt.Sprintf("%s, the worst %s, %s", who, cut(worst.words, 200), limit)
	if worst.excess > 0 {
		s += ", which chance explains"
	}
	return s
}

// rest accounts for the targets that were not judged.
func (t tally) rest(c spec.Check) string {
	s := ""
	if t.idle > 0 {
		s += fmt.Sprintf("; %d with fewer than %s events", t.idle, integer(math.Max(1, float64(c.MinSamples))))
	}
	if n := len(t.unknown); n > 0 {
		s += fmt.Sprintf("; %d without data", n)
		if n == t.missed {
			s += ", as before the stage"
		}
	}
	return s
}

// dark words what is unknown.
func (t tally) dark(e everyone) string {
	var words []string
	for _, v := range t.unknown {
		words = append(words, v.id+" ("+cut(v.why.why, 120)+")")
	}
	return fmt.Sprintf("%d of %d targets have no usable data: %s", len(t.unknown), len(e.targets), named(words))
}

// thin words that too few targets could be judged.
func (t tally) thin(c spec.Check, all int) string {
	return fmt.Sprintf("%d of %d targets could be judged, at least half are needed%s", len(t.ranked), all, t.rest(c))
}
