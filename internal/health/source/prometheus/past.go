package prometheus

import (
	"context"
	"math"
	"slices"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/sequential"
)

// Past asks for the increase over the window at the end of each look, less that up to its
// beginning: both begin together, so every event is counted once.
func (p *server) Past(
	ctx context.Context, expr string, a source.Arm, at time.Time, looks int, step time.Duration,
) ([]float64, source.Reading) {
	at = at.Truncate(time.Millisecond) // as precisely as the source answers
	long := max(p.spec.Window.Std(), 2*step)
	upto, r := p.ranged(ctx, expr, a, long, promv1.Range{Start: at.Add(-time.Duration(looks-1) * step), End: at, Step: step})
	if r.Verdict != "" {
		return nil, r
	}
	from, r := p.ranged(ctx, expr, a, long-step, promv1.Range{Start: at.Add(-time.Duration(looks) * step), End: at.Add(-step), Step: step})
	if r.Verdict != "" && !r.Empty {
		return nil, r
	}
	out, owed := make([]float64, looks), 0.0
	for i := range out {
		end := at.Add(-time.Duration(looks-1-i) * step)
		if all, ok := upto[model.TimeFromUnixNano(end.UnixNano())]; ok {
			out[i] = source.PayOwed(&owed, all-from[model.TimeFromUnixNano(end.Add(-step).UnixNano())])
		}
	}
	return out, source.Reading{}
}

// ranged evaluates what must be one series at many times.
func (p *server) ranged(
	ctx context.Context, expr string, a source.Arm, long time.Duration, r promv1.Range,
) (map[model.Time]float64, source.Reading) {
	query, err := p.fillOwn(expr, a, source.Window{From: r.End.Add(-long), At: r.End})
	if err != nil {
		return nil, source.NoData(expr, "the query cannot be filled: %s", err)
	}
	matrix, read := p.gridded(ctx, query, r)
	switch {
	case read.Verdict != "":
		return nil, read
	case len(matrix) > 1:
		return nil, source.NoData(query, "the query answers more than one series about the past")
	}
	out := make(map[model.Time]float64, len(matrix[0].Values))
	for _, v := range matrix[0].Values {
		if c := (source.Reading{Value: float64(v.Value)}).Counted(); c.Verdict == "" {
			out[v.Timestamp] = c.Value
		}
	}
	return out, source.Reading{Query: query}
}

// gridded is matrix at exactly those times. Some servers move times to whole steps, so it asks for
// those, less than a step before, and answers as if they were the times asked for.
func (p *server) gridded(ctx context.Context, query string, r promv1.Range) (model.Matrix, source.Reading) {
	back := time.Duration(r.Start.Add(p.ahead).UnixNano() % int64(r.Step))
	whole := promv1.Range{Start: r.Start.Add(-back), End: r.End.Add(-back), Step: r.Step}
	matrix, read := p.matrix(ctx, query, whole)
	for _, series := range matrix {
		for i, v := range series.Values {
			since := (v.Timestamp.Time().Sub(whole.Start) + r.Step/2).Truncate(r.Step)
			series.Values[i].Timestamp = model.TimeFromUnixNano(r.Start.Add(since).UnixNano())
		}
	}
	return matrix, read
}

// matrix evaluates a query at many times.
func (p *server) matrix(ctx context.Context, query string, r promv1.Range) (model.Matrix, source.Reading) {
	if far := p.tooFar(query); far.Verdict != "" {
		return nil, far
	}
	ctx, cancel := context.WithTimeoutCause(ctx, queryTimeout, errSlow)
	defer cancel()
	r.Start, r.End = r.Start.Add(p.ahead), r.End.Add(p.ahead)
	value, _, _, err := p.api.QueryRange(ctx, query, r, promv1.WithTimeout(queryTimeout))
	if err != nil {
		return nil, source.NoAnswer(query, p.host, err, p.redact)
	}
	matrix, ok := value.(model.Matrix)
	switch {
	case !ok:
		return nil, source.NoData(query, "the query answers a %s about the past", value.Type())
	case len(matrix) == 0:
		none := source.NoData(query, "the query found no series in the past")
		none.Empty = true
		return nil, none
	}
	return p.corrected(matrix), source.Reading{Query: query}
}

// fillOwn answers the query for an arm before the stage: of those that will be exposed only the
// stage's own targets, since the others run the release already.
func (p *server) fillOwn(expr string, a source.Arm, w source.Window) (string, error) {
	if a == source.Control || len(p.cohort) == 0 {
		return p.fill(expr, a, w)
	}
	return p.fillFor(expr, p.cohort, w)
}

// BaselineMeans asks for the past of the arm's targets; of those that will be exposed only for that
// of the stage's own, since the others run the release already.
func (p *server) BaselineMeans(
	ctx context.Context, expr string, a source.Arm, w source.Window, long, step time.Duration,
) map[string]float64 {
	about := p.about(expr, a)
	if a == source.Exposed && len(p.scope.Cohort) > 0 {
		about = p.eachCohort
	}
	out := map[string]float64{}
	at := w.At.Truncate(time.Millisecond)
	r := promv1.Range{Start: at.Add(-long + step), End: at, Step: step}
	for values := range slices.Chunk(about.values, matcherSample) {
		query, err := p.fillFor(expr, values, source.Window{From: at.Add(-p.spec.Window.Std()), At: at})
		if err != nil {
			return nil
		}
		matrix, r := p.matrix(ctx, query, r)
		if r.Verdict != "" {
			return nil
		}
		for _, series := range matrix {
			id, known := about.ids[string(series.Metric[model.LabelName(p.spec.Identify.Label)])]
			if m := p.mean(series.Values, step); known && m.N > 0 {
				out[id] = m.Mean
			}
		}
	}
	return out
}

// mean is that of the samples that are numbers, and not of an earlier rollout.
func (p *server) mean(samples []model.SamplePair, step time.Duration) (m sequential.Stats) {
	for _, s := range samples {
		if at := s.Timestamp.Time(); source.During(p.scope.Earlier, at, at.Add(time.Nanosecond), step) {
			continue
		}
		if r := (source.Reading{Value: float64(s.Value)}).Usable(); r.Verdict == "" {
			m = m.Add(r.Value)
		}
	}
	return m
}

// Density is how many samples per second the source has of the series that it has most of, among
// those that an expression reads of the exposed targets: how much of the window it was there to
// see. 0 means that it does not tell.
func (p *server) Density(ctx context.Context, expr string, w source.Window) float64 {
	_, selectors, err := p.selectors(expr, w)
	if err != nil {
		return 0
	}
	most := 0.0
	for _, s := range selectors {
		r := p.query(ctx, "max(count_over_time("+s+"["+model.Duration(w.Length()).String()+"]))", w.At).Usable()
		if r.Verdict == "" {
			most = max(most, r.Value)
		}
	}
	return most / w.Length().Seconds()
}

// selectors are those of the query for the exposed targets.
func (p *server) selectors(expr string, w source.Window) (query string, all []string, err error) {
	if query, err = p.fill(expr, source.Exposed, w); err == nil {
		all, err = promql.Selectors(query)
	}
	return query, all, err
}

// Misspelt looks for each series of an expression on any target, and whether identify finds them.
func (p *server) Misspelt(ctx context.Context, expr string, at time.Time) string {
	query, selectors, err := p.selectors(expr, source.Window{From: at.Add(-p.spec.Window.Std()), At: at})
	if err != nil {
		return err.Error()
	}
	for _, s := range selectors {
		if why := p.unidentified(ctx, s, at); why != "" {
			return why
		}
		if r := p.newest(ctx, loosened(s), at); r.Empty {
			return nobodyHas(query, s).Why
		}
	}
	return ""
}

const (
	// mostPoints is how many points of a series are asked for at once: a server answers no more
	// than 11,000.
	mostPoints = 5000
	// mostNumbers is how many points of all series are, about.
	mostNumbers = 40_000
)

// Numbers asks for the past in pieces that a server answers.
func (p *server) Numbers(
	ctx context.Context, expr string, a source.Arm, ids []string, from time.Time, looks int, step time.Duration,
) (rows [][]float64, ok bool) {
	rows = make([][]float64, looks)
	for i := range rows {
		rows[i] = slices.Repeat([]float64{math.NaN()}, len(ids))
	}
	piece := max(1, min(mostPoints, mostNumbers/max(1, len(ids))))
	for first := 0; first < looks; first += piece {
		n := min(piece, looks-first)
		r := promv1.Range{Start: from.Add(time.Duration(first+1) * step), End: from.Add(time.Duration(first+n) * step), Step: step}
		ok = p.fillNumbers(ctx, expr, a, ids, r, rows[first:first+n]) || ok
	}
	return rows, ok
}

// fillNumbers fills rows with the targets' numbers, and answers whether there were any.
func (p *server) fillNumbers(ctx context.Context, expr string, a source.Arm, ids []string, r promv1.Range, rows [][]float64) bool {
	about := p.about(expr, a)
	at := make(map[string]int, len(ids))
	for i, id := range ids {
		at[id] = i
	}
	var values []string
	for _, v := range about.values {
		if _, asked := at[about.ids[v]]; asked {
			values = append(values, v)
		}
	}
	query, err := p.fillFor(expr, values, source.Window{From: r.End.Add(-p.spec.Window.Std()), At: r.End})
	if err != nil {
		return false
	}
	matrix, read := p.gridded(ctx, query, r)
	if read.Verdict != "" {
		return false
	}
	for _, series := range matrix {
		place, ok := at[about.ids[string(series.Metric[model.LabelName(p.spec.Identify.Label)])]]
		if !ok {
			continue
		}
		for _, v := range series.Values {
			if i := int(v.Timestamp.Time().Sub(r.Start)+r.Step/2) / int(r.Step); i >= 0 && i < len(rows) {
				rows[i][place] = float64(v.Value)
			}
		}
	}
	return true
}
