package health

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

// histogram asks for everything since the tally began, as added does.
func (p *prometheus) histogram(ctx context.Context, name string, a arm, w window, t *HistogramTally) (*sequential.Histogram, reading) {
	if t.From.IsZero() || !t.From.Before(w.at) || w.at.Sub(t.From) > 2*p.spec.Window.Std() {
		*t = HistogramTally{From: w.from}
	}
	whole, r := p.buckets(ctx, name, a, window{from: t.From, at: w.at})
	if r.verdict != "" {
		return nil, r
	}
	fresh := whole.minus(t)
	if begin := w.at.Add(-p.spec.Window.Std() / 2); w.at.Sub(t.From) > p.spec.Window.Std() {
		rest, r := p.buckets(ctx, name, a, window{from: begin, at: w.at})
		if r.verdict != "" { // the look as a whole is made up for by the next
			return nil, r
		}
		*t = rest.tally(begin)
	} else {
		*t = whole.tally(t.From)
	}
	return fresh, r
}

// cumulative is a histogram of values, cumulative.
type cumulative sequential.Histogram

// tally is that so much was counted since a moment.
func (c cumulative) tally(since time.Time) HistogramTally {
	return HistogramTally{From: since, Bounds: c.Bounds, Counts: append(slices.Clone(c.Counts), c.Total)}
}

// minus is what is new since a tally; all of it where that is of other buckets, which the
// judge then notices.
func (c cumulative) minus(t *HistogramTally) *sequential.Histogram {
	out := sequential.Histogram(c)
	out.Counts = slices.Clone(c.Counts)
	if slices.Equal(t.Bounds, sequential.Packed(c.Bounds)) {
		for i := range out.Counts {
			out.Counts[i] -= t.Counts[i]
		}
		out.Total -= t.Counts[len(t.Counts)-1]
	}
	return rising(out)
}

// rising is a histogram whose counts rise from bound to bound: those of a source that
// estimates may not, by little.
func rising(h sequential.Histogram) *sequential.Histogram {
	h.Total = max(0, h.Total)
	least := 0.0
	for i, n := range h.Counts {
		least = min(h.Total, max(least, n))
		h.Counts[i] = least
	}
	return &h
}

// buckets asks for what a histogram counted in a window: of a classic one, or else of a
// native one.
func (p *prometheus) buckets(ctx context.Context, name string, a arm, w window) (cumulative, reading) {
	c, classic := p.bucketsBy(ctx, classicBuckets(name), a, w)
	if !classic.empty {
		return c, classic
	}
	if c, native := p.bucketsBy(ctx, nativeBuckets(name), a, w); !native.empty {
		return c, native
	}
	classic.why = "no series of the histogram, neither classic nor native: is its name misspelt?"
	return cumulative{}, classic
}

func classicBuckets(name string) string {
	return "sum by (" + model.BucketLabel + ") (increase(" + spec.HistogramSeries(name, "_bucket") + "[$window]))"
}

func nativeBuckets(name string) string { return increase(spec.HistogramSeries(name, "")) }

func (p *prometheus) bucketsBy(ctx context.Context, expr string, a arm, w window) (cumulative, reading) {
	query, err := p.fill(expr, a, w)
	if err != nil {
		return cumulative{}, noData(expr, "the query cannot be filled: %s", err)
	}
	g := p.given(ctx, query, w.at)
	if g.verdict != "" {
		return cumulative{}, g.reading
	}
	vector, ok := g.value.(model.Vector)
	switch {
	case !ok:
		return cumulative{}, noData(query, "the query answers no buckets")
	case len(vector) == 0:
		none := noData(query, "the query found no series")
		none.empty = true
		return cumulative{}, none
	}
	if old := p.fresh(ctx, query, w, lackIsUnknown, false); old.verdict != "" {
		old.query, old.warnings = query, g.warnings
		return cumulative{}, old
	}
	c, why := bucketsIn(vector)
	if why != "" {
		return cumulative{}, noData(query, "%s", why)
	}
	if a == exposed {
		g.early = p.early(query, w)
	}
	return c, g.reading
}

// bucketsIn are those of an answer: a series for each bound of a classic histogram, or
// one native one. It says why they are none.
func bucketsIn(vector model.Vector) (c cumulative, why string) {
	if h := vector[0].Histogram; h != nil {
		return nativeIn(h), ""
	}
	within := map[float64]float64{}
	for _, s := range vector {
		le, err := strconv.ParseFloat(string(s.Metric[model.BucketLabel]), 64)
		if err != nil {
			return c, "a series has no bound (le) of a bucket"
		}
		r := sampled(s).counted()
		if r.verdict != "" {
			return c, r.why
		}
		within[le] = r.value
	}
	return classicIn(within)
}

// classicIn is a classic histogram by how many values are within each bound.
func classicIn(within map[float64]float64) (c cumulative, why string) {
	for le := range within {
		if !math.IsInf(le, 0) && !math.IsNaN(le) {
			c.Bounds = append(c.Bounds, le)
		}
	}
	slices.Sort(c.Bounds)
	for _, le := range c.Bounds {
		c.Counts = append(c.Counts, within[le])
	}
	total, ok := within[math.Inf(1)]
	switch {
	case !ok:
		return c, "the histogram has no bucket for all values (le=\"+Inf\")"
	case len(c.Bounds) == 0:
		return c, "the histogram has no bounds"
	}
	c.Total = total
	return c, ""
}

// Native histograms have bounds that come and go. Powers of two are bounds at every
// resolution, from about 60 microseconds on to about 17 minutes.
const (
	leastPower = -14
	mostPower  = 10
)

// nativeIn is a native histogram at powers of two, exact for all but those that are
// coarser.
func nativeIn(h *model.SampleHistogram) cumulative {
	c := cumulative{Total: float64(h.Count)}
	for power := leastPower; power <= mostPower; power++ {
		bound, within := math.Ldexp(1, power), 0.0
		for _, b := range h.Buckets {
			if float64(b.Upper) <= bound*(1+1e-9) {
				within += float64(b.Count)
			}
		}
		c.Bounds, c.Counts = append(c.Bounds, bound), append(c.Counts, within)
	}
	return c
}

// pastHistogram asks for what was counted up to the end of each look, less what was up
// to its beginning.
func (p *prometheus) pastHistogram(ctx context.Context, name string, a arm, at time.Time, looks int, step time.Duration) []sequential.Histogram {
	at = at.Truncate(time.Millisecond)
	long := max(p.spec.Window.Std(), 2*step)
	for _, expr := range []string{classicBuckets(name), nativeBuckets(name)} {
		upto := p.bucketsAt(ctx, expr, a, long, promv1.Range{Start: at.Add(-time.Duration(looks-1) * step), End: at, Step: step})
		from := p.bucketsAt(ctx, expr, a, long-step, promv1.Range{Start: at.Add(-time.Duration(looks) * step), End: at.Add(-step), Step: step})
		if len(upto) == 0 {
			continue
		}
		out := make([]sequential.Histogram, 0, looks)
		for i := range looks {
			end := at.Add(-time.Duration(looks-1-i) * step)
			all, ok := upto[end.UnixMilli()]
			if !ok || during(p.binding.Earlier, end.Add(-step), end, step) {
				out = append(out, sequential.Histogram{})
				continue
			}
			t := from[end.Add(-step).UnixMilli()].tally(time.Time{})
			out = append(out, *all.minus(&t))
		}
		return out
	}
	return nil
}

// bucketsAt are the buckets at many times, by their milliseconds. Those that cannot be
// are left out.
func (p *prometheus) bucketsAt(ctx context.Context, expr string, a arm, long time.Duration, r promv1.Range) map[int64]cumulative {
	query, err := p.fillOwn(expr, a, window{from: r.End.Add(-long), at: r.End})
	if err != nil {
		return nil
	}
	matrix, read := p.matrix(ctx, query, r)
	if read.verdict != "" {
		return nil
	}
	within, out := map[int64]map[float64]float64{}, map[int64]cumulative{}
	for _, series := range matrix {
		for _, h := range series.Histograms {
			out[int64(h.Timestamp)] = nativeIn(h.Histogram)
		}
		le, err := strconv.ParseFloat(string(series.Metric[model.BucketLabel]), 64)
		if err != nil {
			continue
		}
		for _, v := range series.Values {
			if within[int64(v.Timestamp)] == nil {
				within[int64(v.Timestamp)] = map[float64]float64{}
			}
			within[int64(v.Timestamp)][le] = float64(v.Value)
		}
	}
	for at, w := range within {
		if c, why := classicIn(w); why == "" {
			out[at] = c
		}
	}
	return out
}

// commonPast is what both arms counted before a stage, in looks in which their buckets are
// those of the newest, without the time at the beginning in which one was not there yet. It
// is not ok where nothing is left.
func commonPast(shown [2][]sequential.Histogram, alone bool) (p PastHistograms, ok bool) {
	n := len(shown[exposed])
	if !alone && len(shown[control]) != n || n == 0 {
		return p, false
	}
	for _, h := range shown[exposed] {
		if len(h.Bounds) > 0 {
			p.Bounds = h.Bounds // the newest
		}
	}
	for i := range n {
		there, begun := true, len(p.Arms[exposed]) > 0
		for _, a := range arms(alone) {
			h := shown[a][i]
			there = there && (h.Total > 0 || begun) && slices.Equal(sequential.Packed(h.Bounds), p.Bounds)
		}
		if !there {
			continue
		}
		for _, a := range arms(alone) {
			for _, v := range append(slices.Clone(shown[a][i].Counts), shown[a][i].Total) {
				p.Arms[a] = append(p.Arms[a], rounded(v))
			}
		}
	}
	return p, len(p.Arms[exposed]) > 0
}

func (nothing) histogram(_ context.Context, name string, _ arm, _ window, _ *HistogramTally) (*sequential.Histogram, reading) {
	return nil, noData(name, "the spec has no source")
}

func (nothing) pastHistogram(context.Context, string, arm, time.Time, int, time.Duration) []sequential.Histogram {
	return nil
}
