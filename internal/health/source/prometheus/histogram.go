package prometheus

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// Slow are queries of the classic histogram, and of the native one. Within which part of a native
// bucket a bound lies is an estimate, unless it is a bound of the bucket, too; of no requests at
// all, none are within it.
func (p *server) Slow(s spec.Slow) []source.SlowQueries {
	whole := increase(spec.HistogramSeries(s.Histogram, ""))
	count := "histogram_count(" + whole + ")"
	over := strconv.FormatFloat(float64(s.Over), 'g', -1, 64)
	return []source.SlowQueries{
		{
			Total:  increase(spec.HistogramSeries(s.Histogram, "_count")),
			Within: increase(source.Bucket(spec.HistogramSeries(s.Histogram, "_bucket"), float64(s.Over))),
		},
		{Total: count, Within: fmt.Sprintf("(histogram_fraction(-Inf, %s, %s) * %s > 0) or vector(0)", over, whole, count)},
	}
}

func increase(selector string) string { return "sum(increase(" + selector + "[$window]))" }

func (p *server) Bounds(ctx context.Context, histogram string, w source.Window) []float64 {
	query, err := p.fill("count by (le) ("+spec.HistogramSeries(histogram, "_bucket")+")", source.Exposed, w)
	if err != nil {
		return nil
	}
	vector, _ := p.evaluate(ctx, query, w.At).value.(model.Vector)
	var out []float64
	for _, s := range vector {
		if le, err := strconv.ParseFloat(string(s.Metric[model.BucketLabel]), 64); err == nil && !math.IsInf(le, 0) {
			out = append(out, le)
		}
	}
	slices.Sort(out)
	return out
}
