package health

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// requests are both arms' requests in a window, scaled to whole arms.
type requests struct {
	mine, others float64
	span         time.Duration
	// trouble is the verdict when they could not be counted.
	trouble source.Reading
	// doubt is why the exposed targets' count, though it may show that they lost their share,
	// cannot show that they kept it; empty otherwise.
	doubt source.Reading
	// lost says that the exposed targets have no series at all.
	lost bool
	// from are the readings, for evidence.
	from []source.Reading
}

// requests counts both arms' requests in the window.
func (m trafficCheck) requests(ctx context.Context, w source.Window) requests {
	compared := len(m.binding.Control) > 0
	e := m.source.Count(ctx, m.spec.Traffic, source.Exposed, w, source.EmptyIsUnknown)
	if e.Covered == 0 && e.Steady == nil && e.Verdict == "" {
		e.Covered = m.covered(ctx, w)
	}
	r := requests{span: e.Span, from: []source.Reading{e}}
	switch {
	case e.Empty: // no request was counted at all
		r.lost, r.span = true, w.Length()
	case e.Verdict == Stale && compared:
		r.doubt = e
	case e.Verdict != "":
		r.trouble = e
		return r
	}
	r.mine = m.whole(e, source.Exposed)
	if compared {
		c := m.source.Count(ctx, m.spec.Traffic, source.Control, w, source.EmptyIsUnknown)
		r.from = append(r.from, c)
		if r.others, r.span = m.whole(c, source.Control), max(r.span, c.Span); c.Verdict != "" {
			r.trouble = c
		}
		if r.lost {
			r.span = c.Span
		}
	}
	for _, part := range r.from {
		if (part.Covered > 0 || part.Steady != nil) && part.Covered < minCovered && r.trouble.Verdict == "" {
			r.trouble = source.NoData(
				part.Query, "the targets were read only %s of the time, too little to count requests", humanize.Percent(max(0, part.Covered)),
			)
		}
	}
	return r
}

// whole scales a count from the targets and the time that were read to all.
func (m trafficCheck) whole(r source.Reading, a source.Arm) float64 {
	read, of := m.source.Coverage(m.spec.Traffic, a)
	v := r.Value
	if r.Steady != nil {
		v = max(0, *r.Steady)
	}
	switch {
	case r.Covered > 0:
		v /= r.Covered
	case r.Steady != nil: // nothing is known
		return 0
	}
	return v * float64(of) / float64(max(1, read))
}

// minCovered is how much of the time the targets must have been readable for a count of their
// requests to be scaled up to all of it.
const minCovered = 0.5

// trafficCheck judges whether the exposed targets still get their share.
type trafficCheck struct{ *Stage }

// measure keeps both arms' requests before the stage, and since when they were counted.
func (m trafficCheck) measure(ctx context.Context, w source.Window, b *Baseline) {
	w = m.known(ctx, w)
	b.From = w.From
	r := m.requests(ctx, w)
	u := m.unsteady(ctx, w.At)
	b.Bursts, b.Wander, b.Targets = u.Bursts, u.Wander, busy(m.requestsOf(ctx, w))
	if len(m.binding.Control) == 0 {
		b.Density = source.HistoryOf(m.source).Density(ctx, m.spec.Traffic, w)
	}
	b.ExposedOf, b.ControlOf = len(m.binding.Exposed), len(m.binding.Control)
	b.Exposed, b.Control, b.Traffic = r.mine, r.others, cmp.Or(r.trouble.Why, r.doubt.Why)
}

// known is the newest part of a window in which the source has samples all along: of a source that
// is younger than the window, the rest would be taken for a time without requests. It is the whole
// window where the source does not tell.
func (m trafficCheck) known(ctx context.Context, w source.Window) source.Window {
	density := func(w source.Window) float64 { return source.HistoryOf(m.source).Density(ctx, m.spec.Traffic, w) }
	all := density(w)
	for w.Length() >= 2*m.source.Absence() {
		half := source.Window{From: w.At.Add(-w.Length() / 2), At: w.At}
		newest := density(half)
		if all >= whollyCovered*newest {
			break
		}
		w, all = half, newest
	}
	return w
}

// Judge counts both arms' requests, and judges them.
func (m trafficCheck) Judge(ctx context.Context, at Look) Judged {
	r := m.requests(ctx, at.Window)
	res := Result{Samples: r.mine}
	res.evidence(r.from...)
	if r.trouble.Verdict != "" {
		return res.without(r.trouble)
	}
	if least := m.source.Absence(); r.span < least { // of a single target a count of 0 tells more: it has samples
		why := fmt.Sprintf("requests were counted for %s, at least %s are needed to tell that they are missing",
			r.span.Round(time.Millisecond), least)
		unexercised := res.without(source.Reading{Verdict: Unexercised, Why: why})
		return m.each(ctx, at, unexercised, r).unlessShared(m.before(), r)
	}
	out := judgeTraffic(res, m.before(), r, m.sharesKnown(), m.trafficLevel())
	if least := m.source.RestartSpan(); out.Verdict == Fail && r.span < least {
		out.Verdict, out.Suspicion = Unexercised, m.binding.Before.unsteady().Words()
		out.Sentence += fmt.Sprintf(
			"; requests were counted for %s, at least %s are needed to tell a loss from a restart", r.span.Round(time.Millisecond), least,
		)
	}
	out.Sentence += m.sampled(m.spec.Traffic)
	return m.each(ctx, at, out, r).unlessShared(m.before(), r)
}

// sharedLoss is the part of its requests that a control keeps at least while exposed targets are
// blamed for having lost theirs: with less, something else takes them from both, such as another
// change beside this one.
const sharedLoss = 2.0 / 3

// unlessShared blames nobody for requests that the control has lost, too, where that is the larger
// part of all: a change on the larger part may take the rest with it.
func (j Judged) unlessShared(b Baseline, r requests) Judged {
	left := kept(b.Control, r.others, b.At.Sub(b.From), r.span)
	if j.Verdict != Fail || b.Control <= b.Exposed || left >= sharedLoss {
		return j
	}
	j.Verdict, j.Pending = Unexercised, false
	j.Sentence += fmt.Sprintf("; the control has lost %s of its requests, too: nothing tells whose loss it is", humanize.Percent(1-left))
	return j
}

// kept is which part of a rate of requests is left.
func kept(before, now float64, then, since time.Duration) float64 {
	if before <= 0 || then <= 0 || since <= 0 {
		return 1
	}
	return now / since.Seconds() / (before / then.Seconds())
}

// before is the time before the stage.
func (m trafficCheck) before() Baseline {
	return m.binding.Before.about(m.binding.Exposed, len(m.binding.Control))
}

// sharesKnown says that a control is left whose requests before the stage are known. One that has
// grown since, as an older release went on, has targets that nobody measured then: the rate of the
// exposed ones must tell.
func (m trafficCheck) sharesKnown() bool {
	of := m.binding.Before.ControlOf
	return len(m.binding.Control) > 0 && (of == 0 || len(m.binding.Control) <= of)
}

// about is the baseline as if only these targets had been measured: a younger release may have
// taken some since, and their requests are not missing.
func (b Baseline) about(exposed []fleet.Target, control int) Baseline {
	if b.ExposedOf > 0 && len(exposed) < b.ExposedOf {
		share := float64(len(exposed)) / float64(b.ExposedOf)
		all, left, targets := 0.0, 0.0, map[string]float64{}
		for _, n := range b.Targets {
			all += n
		}
		for _, t := range exposed {
			if n, had := b.Targets[t.ID]; had {
				targets[t.ID] = n
				left += n
			}
		}
		if left > 0 {
			share = left / all
		}
		b.Exposed, b.Targets = b.Exposed*share, targets
	}
	if b.ControlOf > 0 && control < b.ControlOf {
		b.Control *= float64(control) / float64(b.ControlOf)
	}
	return b
}

// trafficLevel is how likely a look may be, at most, to take chance for a loss: looks share what
// the stage has.
func (m trafficCheck) trafficLevel() float64 {
	looks := max(1, m.binding.Bake/max(1, m.spec.Every.Std()))
	return m.spec.Budget(spec.CheckTraffic, m.binding.Stages) / float64(looks)
}

// judgeTraffic compares requests with those expected from before the stage: by share where a
// control is left, by rate where none is. Harm is that less is left than may be, and that chance
// does not explain it at a level.
func judgeTraffic(res Result, b Baseline, r requests, hasControl bool, level float64) Judged {
	if b.Traffic != "" || b.At.IsZero() {
		return res.without(source.NoData("", "traffic before the stage is unknown: %s", cmp.Or(b.Traffic, "it was not measured")))
	}
	measured := b.At.Sub(b.From)
	switch {
	case measured <= 0 || r.span <= 0:
		return res.without(source.NoData("", "requests were counted over no time"))
	case b.Exposed == 0 && r.mine == 0:
		return res.without(source.Reading{Verdict: Unexercised, Why: "the exposed targets had no traffic before the stage and have none now"})
	case r.lost && !hasControl:
		return res.without(source.NoData("", "no series of the query is left: missing traffic cannot be told from missing metrics"))
	}
	u, left := b.unsteady(), 1.0
	if hasControl {
		left = min(1, kept(b.Control, r.others, measured, r.span))
	}
	// A share alone does not tell once most of the fleet is exposed: they keep most of the requests
	// whatever they lose. So their own rate counts, too, less what the control lost meanwhile.
	own := u.OfRate(b.Exposed, r.mine, measured, r.span, left)
	loss, words, say := own, "%s requests/s, %s before the stage"+weaker, humanize.Plain
	if hasControl {
		loss = u.OfShare([2]float64{b.Exposed, b.Control}, [2]float64{r.mine, r.others})
		words, say = "%s of all requests, %s before the stage", humanize.Percent
	}
	res.Value, res.Limit = &loss.Now, &loss.Limit
	res.Sentence = fmt.Sprintf(words, say(loss.Now), say(loss.Before))
	switch {
	case !loss.Below() && own.Certain(level):
		res.Verdict, res.Value, res.Limit = Fail, &own.Now, &own.Limit
		res.Sentence = fmt.Sprintf(
			"%s requests/s, %s expected from before the stage; %s", humanize.Plain(own.Now), humanize.Plain(own.Before), u.Words())
	case !loss.Below() && r.mine > 0 && r.doubt.Verdict != "":
		return res.without(r.doubt)
	case !loss.Below() && r.mine > 0:
		res.Verdict = Pass
	case loss.Chance > level || loss.Expected <= 0:
		res.Verdict = Unexercised
		res.Sentence += fmt.Sprintf("; %s requests expected, too few for their absence to mean anything", humanize.Integer(loss.Expected))
	default:
		res.Verdict = Fail
		res.Sentence += "; " + u.Words()
	}
	return Judged{Result: res}
}

// whollyCovered is the share of the usual samples that counts as all of them: at the edges of a
// short window some are missing by chance.
const whollyCovered = 0.9

// covered is the share of the window that the source was there to see, by how many samples it has
// now and had before the stage; 0 when that is all of it, or unknown. Without a control nothing
// else tells missing traffic from missing samples.
func (m trafficCheck) covered(ctx context.Context, w source.Window) float64 {
	usual := m.binding.Before.Density
	if usual <= 0 || len(m.binding.Control) > 0 {
		return 0
	}
	const least = 0.001 // 0 would be unknown
	if c := source.HistoryOf(m.source).Density(ctx, m.spec.Traffic, w) / usual; c < whollyCovered {
		return max(least, c)
	}
	return 0
}
