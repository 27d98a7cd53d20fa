package health

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// requests are both arms' requests in a window, scaled to whole arms.
type requests struct {
	mine, others float64
	span         time.Duration
	// trouble is the verdict when they could not be counted.
	trouble reading
	// doubt is why the exposed targets' count, though it may show that they lost
	// their share, cannot show that they kept it; empty otherwise.
	doubt reading
	// lost says that the exposed targets have no series at all.
	lost bool
	// from are the readings, for evidence.
	from []reading
}

// requests counts both arms' requests in the window.
func (m *Meter) requests(ctx context.Context, w window) requests {
	compared := len(m.binding.Control) > 0
	e := m.source.count(ctx, m.spec.Traffic, exposed, w, lackIsUnknown)
	if e.covered == 0 && e.steady == nil && e.verdict == "" {
		e.covered = m.covered(ctx, w)
	}
	r := requests{span: e.span, from: []reading{e}}
	switch {
	case e.empty: // no request was counted at all
		r.lost, r.span = true, w.length()
	case e.verdict == Stale && compared:
		r.doubt = e
	case e.verdict != "":
		r.trouble = e
		return r
	}
	r.mine = m.whole(e, exposed)
	if compared {
		c := m.source.count(ctx, m.spec.Traffic, control, w, lackIsUnknown)
		r.from = append(r.from, c)
		if r.others, r.span = m.whole(c, control), max(r.span, c.span); c.verdict != "" {
			r.trouble = c
		}
		if r.lost {
			r.span = c.span
		}
	}
	for _, part := range r.from {
		if (part.covered > 0 || part.steady != nil) && part.covered < minCovered && r.trouble.verdict == "" {
			r.trouble = noData(part.query, "the targets were read only %s of the time, too little to count requests", humanize.Percent(max(0, part.covered)))
		}
	}
	return r
}

// whole scales a count from the targets and the time that were read to all.
func (m *Meter) whole(r reading, a arm) float64 {
	read, of := m.source.coverage(m.spec.Traffic, a)
	v := r.value
	if r.steady != nil {
		v = max(0, *r.steady)
	}
	switch {
	case r.covered > 0:
		v /= r.covered
	case r.steady != nil: // nothing is known
		return 0
	}
	return v * float64(of) / float64(max(1, read))
}

// Limits of the share-of-traffic check.
const (
	// shareKept is how much of its share before the stage the exposed targets must
	// keep. Half: load balancing moves shares by less, and a cohort that is gone
	// loses all of it.
	shareKept = 0.5
	// minCovered is how much of the time the targets must have been readable for a
	// count of their requests to be scaled up to all of it.
	minCovered = 0.5
)

// traffic judges whether the exposed targets still get their share.
func (m *Meter) traffic(ctx context.Context, w window) Result {
	r := m.requests(ctx, w)
	res := Result{Check: spec.CheckTraffic, Samples: r.mine}
	for _, from := range r.from {
		res.evidence(from)
	}
	if r.trouble.verdict != "" {
		return res.without(r.trouble)
	}
	if least := m.source.absence(); r.span < least {
		return res.without(reading{verdict: Unexercised, why: fmt.Sprintf(
			"requests were counted for %s, at least %s are needed to tell that they are missing", r.span.Round(time.Millisecond), least)})
	}
	res = judgeTraffic(res, m.binding.Before, r, len(m.binding.Control) > 0, m.trafficLevel())
	if least := m.source.settling(); res.Verdict == Fail && r.span < least {
		res.Verdict, res.Suspicion = Unexercised, "less than "+humanize.Percent(shareKept)+" is left"
		res.Sentence += fmt.Sprintf("; requests were counted for %s, at least %s are needed to tell a loss from a restart", r.span.Round(time.Millisecond), least)
	}
	res.Sentence += m.sampled(m.spec.Traffic)
	return res
}

// trafficLevel is how likely a look may be, at most, to take chance for a loss: looks
// share what the stage has.
func (m *Meter) trafficLevel() float64 {
	looks := max(1, m.binding.Bake/max(1, m.spec.Every.Std()))
	return m.spec.Budget(spec.CheckTraffic, m.binding.Stages) / float64(looks)
}

// judgeTraffic compares requests with those expected from before the stage: by
// share where a control is left, by rate where none is. Harm is that less is left than
// may be, and that chance does not explain it at a level.
func judgeTraffic(res Result, b Baseline, r requests, hasControl bool, level float64) Result {
	if b.Traffic != "" || b.At.IsZero() {
		why := b.Traffic
		if why == "" {
			why = "it was not measured"
		}
		return res.without(noData("", "traffic before the stage is unknown: %s", why))
	}
	measured := b.At.Sub(b.From).Seconds()
	switch {
	case measured <= 0 || r.span <= 0:
		return res.without(noData("", "requests were counted over no time"))
	case b.Exposed == 0 && r.mine == 0:
		return res.without(reading{verdict: Unexercised, why: "the exposed targets had no traffic before the stage and have none now"})
	case r.lost && !hasControl:
		return res.without(noData("", "no series of the query is left: missing traffic cannot be told from missing metrics"))
	}
	var value, before, expected, chance float64
	words := "%s of all requests, %s before the stage"
	if hasControl {
		value, before = share(r.mine, r.others), share(b.Exposed, b.Control)
		expected = before * (r.mine + r.others)
		chance = fewByChance(r.mine, r.mine+r.others, before*certainty(b), b.Bursts)
	} else {
		before = b.Exposed / measured
		value, expected = r.mine/r.span.Seconds(), before*r.span.Seconds()
		chance = fewByChance(r.mine, r.mine+b.Exposed, r.span.Seconds()/(r.span.Seconds()+measured), b.Bursts)
		words = "%s requests/s, %s before the stage" + weaker
	}
	limit := before * shareKept * certainty(b)
	res.Value, res.Limit = &value, &limit
	say := humanize.Plain
	if hasControl {
		say = humanize.Percent
	}
	res.Sentence = fmt.Sprintf(words, say(value), say(before))
	own := ownRate(b, r, level)
	switch {
	case value >= limit && hasControl && own.collapsed:
		res.Verdict, res.Value, res.Limit = Fail, &own.value, &own.limit
		res.Sentence = fmt.Sprintf("%s requests/s, %s expected from before the stage; less than %s is left", humanize.Plain(own.value), humanize.Plain(own.expected), humanize.Percent(shareKept))
	case value >= limit && r.mine > 0 && r.doubt.verdict != "":
		return res.without(r.doubt)
	case value >= limit && r.mine > 0:
		res.Verdict = Pass
	case chance > level || expected <= 0:
		res.Verdict = Unexercised
		res.Sentence += fmt.Sprintf("; %s requests expected, too few for their absence to mean anything", humanize.Integer(expected))
	default:
		res.Verdict = Fail
		res.Sentence += fmt.Sprintf("; less than %s is left", humanize.Percent(shareKept))
	}
	return res
}

// rate is how many requests per second the exposed targets get.
type rate struct {
	value, expected, limit float64
	collapsed              bool
}

// ownRate compares the exposed targets' rate with their own before the stage, less
// what the control lost meanwhile, too. A share alone does not tell once most of
// the fleet is exposed: they keep most of the requests whatever they lose.
func ownRate(b Baseline, r requests, level float64) rate {
	measured, span := b.At.Sub(b.From).Seconds(), r.span.Seconds()
	kept := 1.0
	if b.Control > 0 {
		kept = min(1, r.others/span/(b.Control/measured))
	}
	out := rate{value: r.mine / span, expected: b.Exposed / measured * kept}
	out.limit = out.expected * shareKept * certainty(b)
	chance := fewByChance(r.mine, r.mine+b.Exposed, kept*span/(kept*span+measured), b.Bursts)
	out.collapsed = out.value < out.limit && chance <= level
	return out
}

// certainty is how much of the exposed targets' count before the stage is beyond chance:
// three standard deviations of Poisson noise below it. What was measured on few requests
// says little of a rate.
func certainty(b Baseline) float64 {
	requests := b.Exposed / max(1, b.Bursts)
	if requests <= 0 {
		return 0
	}
	return max(0, 1-3/math.Sqrt(requests))
}

func share(mine, others float64) float64 {
	if mine+others == 0 {
		return 0
	}
	return mine / (mine + others)
}
