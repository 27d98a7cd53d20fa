package health

import (
	"context"
	"fmt"
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
	found [2]bool // on some page
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

// buckets are a histogram's on a page, if that has them. Wrong says that they cannot be
// read.
func (p pick) buckets(pg page) (c cumulative, found bool, wrong string) {
	within := map[float64]float64{}
	for _, m := range p.of(pg.series) {
		le, err := strconv.ParseFloat(string(m.labels[model.BucketLabel]), 64)
		if bad := (reading{value: m.value}).counted(); err != nil || bad.verdict != "" {
			return c, true, "a bucket is no count"
		}
		within[le] += m.value
	}
	switch {
	case len(within) == 0:
		return c, false, ""
	case len(within) > bucketsKept:
		return c, true, fmt.Sprintf("the histogram has %d buckets, at most %d are read of a page", len(within), bucketsKept)
	}
	c, wrong = classicIn(within)
	if wrong == "" && !slices.IsSorted(append(slices.Clone(c.Counts), c.Total)) {
		wrong = "its buckets count less than smaller ones"
	}
	return c, true, wrong
}

// takeBuckets reads the histograms off a page. Last is what the target's page showed in
// the read before; nil where nothing is known of then. A page that does not have a
// histogram has counted nothing, or nothing more.
func (s *scrape) takeBuckets(a arm, id string, pg page, at time.Time, last []HistogramTally) []HistogramTally {
	now := make([]HistogramTally, len(s.histograms.picks))
	if len(last) == len(now) {
		copy(now, last)
	}
	for i, p := range s.histograms.picks {
		in := &s.histograms.grew[i]
		c, found, wrong := p.buckets(pg)
		known := !now[i].From.IsZero()
		in.found[a] = in.found[a] || found
		switch {
		case wrong != "":
			in.wrong[a] = id + ": " + wrong
			continue
		case !found:
			now[i].From = at
			continue
		case known && !in.arms[a].add(c.growth(now[i])):
			in.wrong[a] = id + ": its bounds are not those of other pages"
		}
		now[i] = c.tally(at)
	}
	return now
}

// growth is what a histogram counted since a tally. One that fell has begun at zero
// meanwhile; of one with other buckets that has not, nothing is known.
func (c cumulative) growth(since HistogramTally) cumulative {
	if !slices.Equal(since.Bounds, sequential.Packed(c.Bounds)) {
		if n := len(since.Counts); n > 0 && c.Total >= since.Counts[n-1] {
			return cumulative{Bounds: c.Bounds, Counts: make([]float64, len(c.Bounds))}
		}
		return c
	}
	all := append(slices.Clone(c.Counts), c.Total)
	for i := range all {
		if all[i] < since.Counts[i] {
			return c
		}
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
	}
	grew := s.histograms.grew[i]
	h := sequential.Histogram(grew.arms[a])
	other := grew.arms[1-a]
	switch {
	case !grew.found[a] && !grew.found[1-a]:
		return nil, noData(name, "no page has the histogram: is its name misspelt?")
	case s.usable && !grew.found[a] && other.Bounds != nil: // it has counted nothing yet
		h = sequential.Histogram{Bounds: other.Bounds, Counts: make([]float64, len(other.Bounds))}
	case !s.usable, h.Bounds == nil:
		return nil, reading{verdict: Unexercised, why: "the pages were read only once since the stage was applied", query: name}
	case !s.isNew(t.From):
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

// bucketsKept is how many buckets a page's histogram may have: they are kept of every
// target.
const bucketsKept = 40

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
