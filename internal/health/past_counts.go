package health

import (
	"context"
	"math"
	"slices"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

// Past is what a check that compares counted before a stage, in looks of Step each,
// oldest first: bad and total of the stage's own targets, then of the control, where
// there is one; the same of every stratum.
type Past struct {
	Step  spec.Duration `json:"step,omitempty"`
	Looks [][]float64   `json:"looks,omitempty"`
	// Daily is how many times as large the share of bad events was a day ago in the time
	// of the bake as before that, where that is beyond chance; 0 where it is not.
	Daily float64 `json:"daily,omitempty"`
	// Missing says why nothing is known; empty where something is, and where nothing
	// has to be.
	Missing string `json:"missing,omitempty"`
}

// Limits on how long before a stage is looked at, and in how many looks.
const (
	leastPast = 10 * time.Minute
	mostPast  = 24 * time.Hour
	pastLooks = 120
)

// PastSpan is how long before a stage with such a bake a check that compares looks at
// its past, and in looks of which length, if it looks every so often afterwards.
func PastSpan(bake, every time.Duration) (long, step time.Duration) {
	long = min(mostPast, max(leastPast, bake))
	return long, max(every, (long / pastLooks).Truncate(time.Second))
}

// looks are those before the stage, as a judge takes them.
func (p Past) looks() []judge.Look {
	out := make([]judge.Look, 0, len(p.Looks))
	for i, n := range p.Looks {
		end := time.Duration(i+1-len(p.Looks)) * p.Step.Std()
		if len(n) == 2 {
			out = append(out, judge.Look{At: end, Exposed: &sequential.Counts{Bad: n[0], Total: n[1]}})
		}
		for ; len(n) >= 4; n = n[4:] {
			out = append(out, judge.Look{At: end, Exposed: &sequential.Counts{Bad: n[0], Total: n[1]}, Control: &sequential.Counts{Bad: n[2], Total: n[3]}})
		}
	}
	return out
}

// history counts what checks that compare showed before the stage. It lacks those of
// which nothing is known.
func (m *Meter) history(ctx context.Context, w window) map[string]Past {
	out := map[string]Past{}
	for _, c := range m.spec.Checks {
		if !compares(c) {
			continue
		}
		for _, part := range m.comparisons[c.Name] {
			if p := m.pastOf(ctx, c, w, part); len(p.Looks) > 0 || part.alone {
				out[key(c, part.group)] = p
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (m *Meter) pastOf(ctx context.Context, c spec.Check, w window, part *comparison) Past {
	long, step := PastSpan(m.binding.Bake, m.spec.Every.Std())
	looks := int(long / step)
	rows := make([][]float64, looks)
	if during(m.binding.Earlier, w.at.Add(-long), w.at, step) { // further back there may be more
		rows = make([][]float64, 2*looks)
	}
	for _, st := range part.strata {
		for _, a := range arms(part.alone) {
			if r := addPast(ctx, c, st.source, a, w.at, step, rows); r.verdict != "" {
				if st.source != m.source {
					return Past{Missing: "its targets have no past that can be read: " + r.why}
				}
				return m.onlyPast(ctx, c, w, part)
			}
		}
	}
	p := Past{Step: spec.Duration(step), Looks: trimmed(usualRows(rows, looks, w.at, step, m.binding.Earlier))}
	if part.alone && c.Objective == nil {
		p.Daily = m.daily(ctx, c, w.at, part)
	}
	return p
}

// addPast adds an arm's events to the rows, of which there is one for each look. It
// answers a reading with a verdict where the source does not know them.
func addPast(ctx context.Context, c spec.Check, s source, a arm, at time.Time, step time.Duration, rows [][]float64) reading {
	total, r := s.past(ctx, c.Total, a, at, len(rows), step)
	if r.empty && c.Slow != nil {
		if again, r := s.past(ctx, native(c).Total, a, at, len(rows), step); r.verdict == "" {
			c, total = native(c), again
		}
	}
	if total == nil {
		return r
	}
	bad, r := s.past(ctx, c.Bad, a, at, len(rows), step)
	switch {
	case r.empty && c.Slow != nil:
		return notABound(r, float64(c.Slow.Over), s.bounds(ctx, c.Slow.Histogram, window{from: at.Add(-step), at: at}))
	case r.verdict != "" && !r.empty:
		return r
	}
	for i := range rows {
		n := 0.0
		if i < len(bad) {
			n = bad[i]
		}
		if c.Slow != nil {
			n = max(0, total[i]-n)
		}
		rows[i] = append(rows[i], rounded(n), rounded(total[i]))
	}
	return reading{}
}

// onlyPast is what a source without a past was read for.
func (m *Meter) onlyPast(ctx context.Context, c spec.Check, w window, part *comparison) Past {
	var rows [][]float64
	for _, a := range arms(part.alone) {
		r := m.ratio(ctx, c, a, w)
		for _, part := range []reading{r.total, r.bad} {
			if part = part.counted(); part.verdict != "" {
				return Past{Missing: part.why}
			}
		}
		if r.total.value == 0 {
			return Past{Missing: "there were no events before the stage"}
		}
		total, bad := m.looked(c.Total, a), m.looked(c.Bad, a)
		if len(total) == 0 {
			total, bad = []float64{r.total.value}, []float64{r.bad.value}
			if c.Slow != nil {
				bad[0] = total[0] - bad[0]
			}
		}
		if rows == nil {
			rows = make([][]float64, len(total))
		}
		for i := range rows {
			n := bad[i]
			if c.Slow != nil {
				n = max(0, total[i]-n)
			}
			rows[i] = append(rows[i], rounded(n), rounded(total[i]))
		}
	}
	return Past{Step: spec.Duration(w.length() / time.Duration(max(1, len(rows)))), Looks: rows}
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

// past asks for the increase over the window at the end of each look, less that up to
// its beginning: both begin together, so every event is counted once.
func (p *prometheus) past(ctx context.Context, expr string, a arm, at time.Time, looks int, step time.Duration) ([]float64, reading) {
	at = at.Truncate(time.Millisecond) // as precisely as the source answers
	long := max(p.spec.Window.Std(), 2*step)
	upto, r := p.ranged(ctx, expr, a, long, promv1.Range{Start: at.Add(-time.Duration(looks-1) * step), End: at, Step: step})
	if r.verdict != "" {
		return nil, r
	}
	from, r := p.ranged(ctx, expr, a, long-step, promv1.Range{Start: at.Add(-time.Duration(looks) * step), End: at.Add(-step), Step: step})
	if r.verdict != "" && !r.empty {
		return nil, r
	}
	out, owed := make([]float64, looks), 0.0
	for i := range out {
		end := at.Add(-time.Duration(looks-1-i) * step)
		if all, ok := upto[model.TimeFromUnixNano(end.UnixNano())]; ok {
			out[i] = settle(&owed, all-from[model.TimeFromUnixNano(end.Add(-step).UnixNano())])
		}
	}
	return out, reading{}
}

// ranged evaluates what must be one series at many times.
func (p *prometheus) ranged(ctx context.Context, expr string, a arm, long time.Duration, r promv1.Range) (map[model.Time]float64, reading) {
	query, err := p.fillOwn(expr, a, window{from: r.End.Add(-long), at: r.End})
	if err != nil {
		return nil, noData(expr, "the query cannot be filled: %s", err)
	}
	matrix, read := p.matrix(ctx, query, r)
	switch {
	case read.verdict != "":
		return nil, read
	case len(matrix) > 1:
		return nil, noData(query, "the query answers more than one series about the past")
	}
	out := make(map[model.Time]float64, len(matrix[0].Values))
	for _, v := range matrix[0].Values {
		if c := (reading{value: float64(v.Value)}).counted(); c.verdict == "" {
			out[v.Timestamp] = c.value
		}
	}
	return out, reading{query: query}
}

// matrix evaluates a query at many times.
func (p *prometheus) matrix(ctx context.Context, query string, r promv1.Range) (model.Matrix, reading) {
	ctx, cancel := context.WithTimeoutCause(ctx, queryTimeout, errSlow)
	defer cancel()
	value, _, _, err := p.api.QueryRange(ctx, query, r, promv1.WithTimeout(queryTimeout))
	if err != nil {
		return nil, noData(query, "no usable answer from %s about the past", p.host)
	}
	matrix, ok := value.(model.Matrix)
	switch {
	case !ok:
		return nil, noData(query, "the query answers a %s about the past", value.Type())
	case len(matrix) == 0:
		none := noData(query, "the query found no series in the past")
		none.empty = true
		return nil, none
	}
	return matrix, reading{query: query}
}

// fillOwn answers the query for an arm before the stage: of those that will be exposed
// only the stage's own targets, since the others run the release already.
func (p *prometheus) fillOwn(expr string, a arm, w window) (string, error) {
	if a == control || len(p.cohort) == 0 {
		return p.fill(expr, a, w)
	}
	return p.fillFor(expr, p.cohort, w)
}

func (s *scrape) past(_ context.Context, expr string, _ arm, _ time.Time, _ int, _ time.Duration) ([]float64, reading) {
	return nil, noData(expr, "metrics pages have no past")
}

func (nothing) past(_ context.Context, expr string, _ arm, _ time.Time, _ int, _ time.Duration) ([]float64, reading) {
	return nil, noData(expr, "the spec has no source")
}

// looked is what every look of the baseline added.
func (s *scrape) looked(expr string, a arm) []float64 {
	i := slices.Index(s.exprs, expr)
	if i < 0 {
		return nil
	}
	var out []float64
	for _, p := range s.baselooks {
		out = append(out, p.Counts[i][a])
	}
	return out
}
