package health

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

// Past is what a check that compares counted before a stage, in looks of Step each, oldest first:
// bad and total of the stage's own targets, then of the control, where there is one; the same of
// every stratum.
type Past struct {
	Step  spec.Duration `json:"step,omitempty"`
	Looks [][]float64   `json:"looks,omitempty"`
	// Daily is how many times as large the share of bad events was a day ago in the time of the
	// bake as before that, where that is beyond chance; 0 where it is not.
	Daily float64 `json:"daily,omitempty"`
	// Missing says why nothing is known; empty where something is, and where nothing has to be.
	Missing string `json:"missing,omitempty"`
}

// Limits on how long before a stage is looked at, and in how many looks.
const (
	leastPast = 10 * time.Minute
	mostPast  = 24 * time.Hour
)

// PastSpan is how long before a stage with such a bake a check that compares looks at its past, and
// in looks of which length, if it looks every so often afterwards.
func PastSpan(bake, every time.Duration) (long, step time.Duration) {
	return inLooks(min(mostPast, max(leastPast, bake)), every, source.PastLooks)
}

// inLooks cuts so long a past into looks, each as long as the looks of the bake at least.
func inLooks(past, every time.Duration, looks int) (long, step time.Duration) {
	return past, max(every, (past / time.Duration(looks)).Truncate(time.Second))
}

// longPast is how long before a stage a comparison with a control looks at its past, where the
// source reaches back so far: bursts that last, and jobs that come every hour, show in it.
const longPast = 6 * time.Hour

// LongPast is PastSpan for a check that compares with a control.
func LongPast(bake, every time.Duration) (long, step time.Duration) {
	return inLooks(min(mostPast, max(longPast, bake)), every, longLooks)
}

// longLooks is in how many looks a long past is looked at, each a few bytes in the rollout's
// history.
const longLooks = 12 * source.PastLooks

// selfPast is how long before a stage a comparison without a control looks at its past. Two hours
// show bursts, hourly jobs and what wanders by itself; six hide harm behind the time of day
// (docs/judge.md, "Without a control"). It is longer, up to mostSelf, where that many looks tell no
// incident from a habit.
const (
	selfPast = 2 * time.Hour
	mostSelf = 3 * time.Hour
)

// SelfPast is PastSpan for a check that compares a stage with its own past. It is PastSpan where
// looks are too far apart to tell an incident.
func SelfPast(bake, every time.Duration) (long, step time.Duration) {
	long = max(selfPast, sequential.IncidentLooks*every)
	if long > mostSelf {
		return PastSpan(bake, every)
	}
	return inLooks(min(mostPast, max(long, bake)), every, 4*source.PastLooks)
}

// looks are those before the stage, as a judge takes them.
func (p Past) looks() []judge.ArmCounts {
	out := make([]judge.ArmCounts, 0, len(p.Looks))
	for i, n := range p.Looks {
		end := time.Duration(i+1-len(p.Looks)) * p.Step.Std()
		if len(n) == 2 {
			out = append(out, judge.ArmCounts{At: end, Exposed: &sequential.Counts{Bad: n[0], Total: n[1]}})
		}
		for ; len(n) >= 4; n = n[4:] {
			out = append(
				out, judge.ArmCounts{At: end, Exposed: &sequential.Counts{Bad: n[0], Total: n[1]}, Control: &sequential.Counts{Bad: n[2], Total: n[3]}},
			)
		}
	}
	return out
}

// measure keeps what was counted before the stage, if anything is known of that.
func (m *comparisonCheck) measure(ctx context.Context, w source.Window, b *Baseline) {
	for _, part := range m.parts {
		p := m.pastOf(ctx, w, part)
		if len(p.Looks) == 0 && !part.alone {
			continue
		}
		keep(&b.Past, key(m.check, part.group), p)
	}
}

func (m *comparisonCheck) pastOf(ctx context.Context, w source.Window, part *comparison) Past {
	var why source.Reading
	for _, s := range m.pastSpans(part, w.At) {
		var p Past
		if p, why = m.pastIn(ctx, w, part, s.long, s.step); why.Verdict == "" {
			return p
		}
	}
	for _, st := range part.strata {
		if kept, ok := m.source.(source.Memory); st.source != m.source && (!ok || st.source != kept.Own()) {
			return Past{Missing: "its targets have no past that can be read: " + why.Why}
		}
	}
	return m.onlyPast(ctx, w, part)
}

// pastSpan is how long a past is read, in looks of which length.
type pastSpan struct{ long, step time.Duration }

// pastSpans are those that are tried, the longest first: a source may refuse to read so much.
func (m *comparisonCheck) pastSpans(part *comparison, at time.Time) []pastSpan {
	of := func(long, step time.Duration) pastSpan { return pastSpan{long, step} }
	bake, every := m.binding.Bake, m.spec.Every.Std()
	short := of(PastSpan(bake, every))
	switch self := part.alone && m.check.Objective == nil; {
	case len(m.parts) > fewParts:
		return []pastSpan{short}
	case self:
		long := of(SelfPast(bake, every))
		if long.long = min(long.long, m.binding.sinceEarlier(at)-long.step); long.long < leastPast {
			return []pastSpan{short}
		}
		return []pastSpan{long, short}
	}
	return []pastSpan{of(LongPast(bake, every)), short}
}

// sinceEarlier is how long ago the newest earlier rollout of the unit ended: what was before ran
// another release.
func (b Binding) sinceEarlier(at time.Time) time.Duration {
	since := mostPast
	for _, run := range b.Earlier {
		if run.From.Before(at) {
			since = min(since, max(0, at.Sub(run.To)))
		}
	}
	return since
}

// fewParts is how many groups may have a long past, each with its own: it goes into the rollout's
// history.
const fewParts = 3

// pastIn is the past of so long a time; a reading with a verdict where it is not known.
func (m *comparisonCheck) pastIn(ctx context.Context, w source.Window, part *comparison, long, step time.Duration) (Past, source.Reading) {
	looks := int(long / step)
	rows := make([][]float64, looks)
	touched := m.binding.touched(part.alone && m.check.Objective == nil, w.At)
	if source.During(touched, w.At.Add(-long), w.At, step) { // further back there may be more
		rows = make([][]float64, 2*looks)
	}
	for _, st := range part.strata {
		before, err := m.before(ctx, st, w.At)
		if err != nil {
			return Past{}, source.NoData(m.check.Total, "the time before the rollout: %s", err)
		}
		for _, a := range source.Arms(part.alone) {
			if r := addPast(ctx, m.check, before, a, w.At, step, rows); r.Verdict != "" {
				return Past{}, r
			}
		}
	}
	p := Past{Step: spec.Duration(step), Looks: trimmed(usualRows(rows, looks, w.At, step, touched))}
	if part.alone && m.check.Objective == nil {
		p.Daily = m.daily(ctx, w.At, part, pastSpan{long, step})
	}
	return p, source.Reading{}
}

// touched is when what is read before a stage was not as usual: while earlier rollouts ran and,
// unless only the stage's own targets are read, since this one has exposed others.
func (b Binding) touched(own bool, at time.Time) []source.EarlierRun {
	if own || b.Began.IsZero() || len(b.Cohort) == len(b.Exposed) {
		return b.Earlier
	}
	return append(slices.Clone(b.Earlier), source.EarlierRun{From: b.Began, To: at})
}

// addPast adds an arm's events to the rows, of which there is one for each look. It answers a
// reading with a verdict where the source does not know them.
func addPast(
	ctx context.Context, c spec.Check, s source.Source, a source.Arm, at time.Time, step time.Duration, rows [][]float64,
) source.Reading {
	h := source.HistoryOf(s)
	total, r := h.Past(ctx, c.Total, a, at, len(rows), step)
	for _, other := range slowForms(c, s) {
		if !r.Empty || other.Total == c.Total {
			continue
		}
		if again, found := h.Past(ctx, other.Total, a, at, len(rows), step); found.Verdict == "" {
			c, total, r = other, again, found
		}
	}
	if total == nil {
		return r
	}
	bad, r := h.Past(ctx, c.Bad, a, at, len(rows), step)
	switch {
	case r.Empty && c.Slow != nil:
		return notABound(
			r, float64(c.Slow.Over), source.HistogramsOf(s).Bounds(ctx, c.Slow.Histogram, source.Window{From: at.Add(-step), At: at}),
		)
	case r.Verdict != "" && !r.Empty:
		return r
	}
	addArm(rows, c, total, bad)
	return source.Reading{}
}

// addArm adds what was counted of an arm to the rows. Of slow requests, those within the bound
// were.
func addArm(rows [][]float64, c spec.Check, total, counted []float64) {
	for i := range rows {
		n := 0.0
		if i < len(counted) {
			n = counted[i]
		}
		if c.Slow != nil {
			n = max(0, total[i]-n)
		}
		rows[i] = append(rows[i], rounded(n), rounded(total[i]))
	}
}

// onlyPast is what a source without a past was read for.
func (m *comparisonCheck) onlyPast(ctx context.Context, w source.Window, part *comparison) Past {
	c := m.check
	var rows [][]float64
	for _, a := range source.Arms(part.alone) {
		s := part.strata[0].source
		r := m.ratioOf(ctx, s, c, a, w)
		if bad := r.counted(); bad.Verdict != "" {
			return Past{Missing: bad.Why}
		}
		if r.total.Value == 0 {
			return Past{Missing: "there were no events before the stage"}
		}
		var total, bad []float64
		if kept, ok := s.(source.Memory); ok {
			total, bad = kept.BaselineLooks(c.Total, a), kept.BaselineLooks(c.Bad, a)
		}
		if len(total) == 0 {
			total, bad = []float64{r.total.Value}, []float64{r.bad.Value}
			if c.Slow != nil {
				bad[0] = total[0] - bad[0]
			}
		}
		if rows == nil {
			rows = make([][]float64, len(total))
		}
		addArm(rows, c, total, bad)
	}
	return Past{Step: spec.Duration(w.Length() / time.Duration(max(1, len(rows)))), Looks: rows}
}

// trimmed leaves out the time at the beginning in which an arm was not there yet.
func trimmed(rows [][]float64) [][]float64 {
	for i, row := range rows {
		there := true
		for a := 1; a < len(row); a += 2 {
			there = there && row[a] > 0
		}
		if there {
			return rows[i:]
		}
	}
	return nil
}

// rounded keeps histories small.
func rounded(v float64) float64 { return math.Round(v*1000) / 1000 }

// MostEarlier is how many earlier rollouts are kept in mind.
const MostEarlier = 10

// usualRows are the newest rows of a past, at most so many, that no earlier rollout touched. The
// newest row ends at a moment.
func usualRows[R any](rows []R, most int, end time.Time, step time.Duration, spans []source.EarlierRun) []R {
	var out []R
	for i, row := range rows {
		to := end.Add(-time.Duration(len(rows)-1-i) * step)
		if !source.During(spans, to.Add(-step), to, step) {
			out = append(out, row)
		}
	}
	return out[max(0, len(out)-most):]
}
