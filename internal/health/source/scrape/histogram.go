package scrape

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// Slow are selectors of a classic histogram's series: pages in text show no others.
func (s *pages) Slow(c spec.Slow) []source.SlowQueries { return []source.SlowQueries{selectorsOf(c)} }

func selectorsOf(c spec.Slow) source.SlowQueries {
	return source.SlowQueries{
		Total:  spec.HistogramSeries(c.Histogram, "_count"),
		Within: source.Bucket(spec.HistogramSeries(c.Histogram, "_bucket"), float64(c.Over)),
	}
}

// Bounds of metrics pages are those of the newest page that was read.
func (s *pages) Bounds(_ context.Context, histogram string, _ source.Window) []float64 {
	name, _, _ := strings.Cut(spec.HistogramSeries(histogram, "_bucket"), "{")
	return s.buckets[name]
}

// bucketsOf are the bounds of a page's histograms, by the name of their series.
func bucketsOf(series []metric) map[string][]float64 {
	out := map[string][]float64{}
	for _, m := range series {
		name := string(m.labels[model.MetricNameLabel])
		le, err := strconv.ParseFloat(string(m.labels[model.BucketLabel]), 64)
		if err == nil && !math.IsInf(le, 0) && !slices.Contains(out[name], le) {
			out[name] = append(out[name], le)
		}
	}
	for _, bounds := range out {
		slices.Sort(bounds)
	}
	return out
}
