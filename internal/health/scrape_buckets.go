package health

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

// scrapeBuckets are the histograms that metrics pages are read for as a whole.
type scrapeBuckets struct {
	names []string
	picks []pick
	// grew is by how much both arms' histograms grew by the newest read, and looks the
	// same of every look of a baseline.
	grew  []histogramGrowth
	looks [][]histogramGrowth
}

// histogramGrowth is by how much a histogram grew on the pages of each arm. Wrong says why that
// is not known.
type histogramGrowth struct {
	arms  [2]cumulative
	wrong [2]string
}

// add readies a histogram.
func (b *scrapeBuckets) add(name string) error {
	if slices.Contains(b.names, name) {
		return nil
	}
	metric, matchers, err := promql.ParseSelector(spec.HistogramSeries(name, "_bucket"))
	if err != nil {
		return err
	}
	b.names, b.picks = append(b.names, name), append(b.picks, pick{name: metric, matchers: matchers})
	return nil
}

// buckets are a histogram's on a page.
func (p pick) buckets(pg page) (c cumulative, wrong string) {
	within := map[float64]float64{}
	for _, m := range p.of(pg.series) {
		le, err := strconv.ParseFloat(string(m.labels[model.BucketLabel]), 64)
		if bad := (reading{value: m.value}).counted(); err != nil || bad.verdict != "" {
			return c, "a bucket is no count"
		}
		within[le] += m.value
	}
	if len(within) == 0 {
		return c, "the page does not have the histogram"
	}
	return classicIn(within)
}

// takeBuckets reads the histograms off a page. Last is what the target's page showed in
// the read before; nil where nothing is known of then.
func (s *scrape) takeBuckets(a arm, id string, pg page, last []HistogramTally) []HistogramTally {
	var now []HistogramTally
	for i, p := range s.histograms.picks {
		in := &s.histograms.grew[i]
		c, wrong := p.buckets(pg)
		if wrong != "" {
			in.wrong[a] = id + ": " + wrong
			now = append(now, HistogramTally{})
			continue
		}
		now = append(now, c.tally(time.Time{}))
		if len(last) != len(s.histograms.picks) {
			continue
		}
		if !in.arms[a].add(c.growth(last[i])) {
			in.wrong[a] = id + ": its bounds are not those of other pages"
		}
	}
	return now
}

// growth is what a histogram counted since a tally. One of other buckets, or that fell,
// has begun at zero meanwhile.
func (c cumulative) growth(since HistogramTally) cumulative {
	all := append(slices.Clone(c.Counts), c.Total)
	fell := !slices.Equal(since.Bounds, sequential.Packed(c.Bounds))
	for i := range all {
		fell = fell || all[i] < since.Counts[i]
	}
	if fell {
		return c
	}
	return cumulative(*c.minus(&since))
}

// add adds what another target counted, and answers whether it has the same bounds.
func (c *cumulative) add(other cumulative) bool {
	if c.Bounds == nil {
		*c = other
		return true
	}
	if !slices.Equal(c.Bounds, other.Bounds) {
		return false
	}
	c.Counts = slices.Clone(c.Counts)
	for i, n := range other.Counts {
		c.Counts[i] += n
	}
	c.Total += other.Total
	return true
}

// histogram is what the newest read has shown.
func (s *scrape) histogram(_ context.Context, name string, a arm, _ window, t *HistogramTally) (*sequential.Histogram, reading) {
	i := slices.Index(s.histograms.names, name)
	pages, all := s.seen[a].pages, len(s.arms[a])
	switch {
	case i < 0:
		return nil, noData(name, "the histogram is not one of the spec's")
	case 2*pages < all || all == 0:
		return nil, noData(name, "%d of %d metrics pages could not be read (%s)", all-pages, all, s.seen[a].why)
	case s.histograms.grew[i].wrong[a] != "":
		return nil, noData(name, "%s", cut(s.histograms.grew[i].wrong[a], 200))
	case !s.usable, s.histograms.grew[i].arms[a].Bounds == nil:
		return nil, reading{verdict: Unexercised, why: "the pages were read only once since the stage was applied", query: name}
	}
	h := sequential.Histogram(s.histograms.grew[i].arms[a])
	if !s.newest.At.After(t.From) { // it was counted already
		h.Counts, h.Total = make([]float64, len(h.Bounds)), 0
	}
	t.From = s.newest.At
	return &h, reading{query: name}
}

// pastHistogram is what the looks of the baseline have shown; as many as there were.
func (s *scrape) pastHistogram(_ context.Context, name string, a arm, _ time.Time, _ int, _ time.Duration) []sequential.Histogram {
	i := slices.Index(s.histograms.names, name)
	if i < 0 {
		return nil
	}
	var out []sequential.Histogram
	for _, look := range s.histograms.looks {
		h := sequential.Histogram{}
		if look[i].wrong[a] == "" {
			h = sequential.Histogram(look[i].arms[a])
		}
		out = append(out, h)
	}
	return out
}

// bucketsKept is about how many numbers a histogram's state is of a target.
const bucketsKept = 20

// fitsBuckets says whether the state is one of so many histograms, each sound.
func fitsBuckets(of map[string][]HistogramTally, histograms int) bool {
	for _, all := range of {
		if len(all) != histograms {
			return false
		}
		for _, t := range all {
			if len(t.Bounds) > 0 && len(t.Counts) != len(t.Bounds)+1 || slices.ContainsFunc(t.Counts, math.IsNaN) {
				return false
			}
		}
	}
	return true
}
