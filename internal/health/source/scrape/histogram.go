package scrape

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

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

// maxBounds is how many bounds of a histogram are kept. Usual are about a dozen.
const maxBounds = 1000

// bound keeps a bound of a histogram.
func (pg *page) bound(series labels.Labels) {
	name := series.Get(model.MetricNameLabel)
	le, err := strconv.ParseFloat(series.Get(labels.BucketLabel), 64)
	if err != nil || math.IsInf(le, 0) || len(pg.buckets[name]) == maxBounds {
		return
	}
	if i, there := slices.BinarySearch(pg.buckets[name], le); !there {
		pg.buckets[name] = slices.Insert(pg.buckets[name], i, le)
	}
}
