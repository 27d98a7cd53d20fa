package health

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// Limits on reading metrics pages.
const (
	scrapeParallel = 50
	scrapeTimeout  = 5 * time.Second
	maxPage        = 8 << 20
	// ringParts is into how many parts the window of increments is cut: coarse
	// enough for a small state, fine enough for the window to trail smoothly.
	ringParts = 30
)

// ScrapeState is what was read of metrics pages so far.
type ScrapeState struct {
	// At is when the pages were last read.
	At time.Time `json:"at,omitzero"`
	// Last is each target's last value of each counter, by target id, in the order
	// of the spec's expressions; nil where the page has no such series.
	Last map[string][]*float64 `json:"last,omitempty"`
	// Parts are increments, oldest first.
	Parts []ScrapePart `json:"parts,omitempty"`
}

// ScrapePart is what the counters grew by in a span of time, by expression: the
// exposed targets, then the control.
type ScrapePart struct {
	From   time.Time    `json:"from"`
	At     time.Time    `json:"at"`
	Counts [][2]float64 `json:"counts"`
}

// scrape reads the targets' own pages. A page has no past, so it keeps what the
// counters grew by between reads; a counter that fell was reset, and counts from
// zero.
type scrape struct {
	spec   spec.Health
	client *http.Client
	begin  time.Time
	arms   [2][]page
	gap    time.Duration // between two reads, at most, for growth to count
	exprs  []string      // counters, in the order of ScrapeState.Last
	picks  map[string]pick
	sizes  [2]int

	kept ScrapeState
	// Of the newest read: pages read by arm, and whether any had the series.
	read  [2]int
	found map[string][2]bool
	now   map[string][]float64 // gauges by expression, of the exposed targets
	why   [2]string            // one page's trouble, by arm
}

// page is one target's metrics page.
type page struct{ id, url string }

// pick selects series of a page.
type pick struct {
	name     string
	matchers []*labels.Matcher
}

func openScrape(h spec.Health, b Binding, client *http.Client) (source, error) {
	s := &scrape{
		spec: h, client: client, begin: b.Since.Add(h.Warmup.Std()), picks: map[string]pick{},
		gap: h.StaleAfter.Std(), sizes: [2]int{len(b.Exposed), len(b.Control)},
	}
	for a, targets := range [2][]fleet.Target{b.Exposed, b.Control} {
		for _, t := range sample(targets, h.Scrape.Sample) {
			url, err := tmpl.Fill(h.Scrape.URL, tmpl.ForTarget(t.ID, t.Address, t.Labels))
			if err != nil {
				return nil, fmt.Errorf("health.scrape.url: %w", err)
			}
			s.arms[a] = append(s.arms[a], page{id: t.ID, url: url})
		}
	}
	for _, c := range h.Checks {
		for _, expr := range []string{c.Bad, c.Total, c.Value} {
			if err := s.pick(expr, expr != c.Value); err != nil {
				return nil, err
			}
		}
	}
	return s, s.pick(h.Traffic, true)
}

// pick readies one expression.
func (s *scrape) pick(expr string, counter bool) error {
	if expr == "" {
		return nil
	}
	name, matchers, err := promql.ParseSelector(expr)
	if err != nil {
		return fmt.Errorf("selector %q: %w", expr, err)
	}
	s.picks[expr] = pick{name: name, matchers: matchers}
	if counter && !slices.Contains(s.exprs, expr) {
		s.exprs = append(s.exprs, expr)
	}
	return nil
}

func (s *scrape) before() { s.begin = time.Time{} }

func (s *scrape) absence() time.Duration { return s.spec.Every.Std() }

func (s *scrape) scale(a arm) float64 {
	return max(1, float64(s.sizes[a])/float64(max(1, len(s.arms[a]))))
}

func (s *scrape) state() *ScrapeState {
	kept := s.kept.clone()
	return &kept
}

// clone shares nothing that a read changes: values and parts are replaced, never
// written to.
func (k ScrapeState) clone() ScrapeState {
	k.Last, k.Parts = maps.Clone(k.Last), slices.Clone(k.Parts)
	return k
}

func (s *scrape) restore(k *ScrapeState) error {
	if k == nil {
		return nil
	}
	for id, values := range k.Last {
		if len(values) != len(s.exprs) {
			return fmt.Errorf("state of target %s has %d counters, expected %d", id, len(values), len(s.exprs))
		}
	}
	for _, p := range k.Parts {
		if len(p.Counts) != len(s.exprs) {
			return fmt.Errorf("state from %s has %d counters, expected %d", p.At.Format(time.RFC3339), len(p.Counts), len(s.exprs))
		}
	}
	s.kept = k.clone()
	return nil
}

// baseline reads twice, some time apart.
func (s *scrape) baseline(ctx context.Context, at time.Time) (window, error) {
	began := time.Now()
	s.gap = 2*s.spec.Scrape.Baseline.Std() + time.Minute // its own length, and slow pages
	s.refresh(ctx, at, at)
	if err := pause(ctx, s.spec.Scrape.Baseline.Std()); err != nil {
		return window{}, err
	}
	end := at.Add(time.Since(began))
	s.refresh(ctx, end, at)
	return window{from: at, at: end}, ctx.Err()
}

// refresh reads every page and adds what the counters grew by.
func (s *scrape) refresh(ctx context.Context, at, from time.Time) {
	at = later(at, s.kept.At) // another worker's clock may be ahead
	part := ScrapePart{From: s.kept.At, At: at, Counts: make([][2]float64, len(s.exprs))}
	// Over a gap, growth is no evidence of the time since: it is measured anew.
	usable := !s.kept.At.IsZero() && !s.kept.At.Before(s.begin) && at.Sub(s.kept.At) <= s.gap
	if s.kept.Last == nil {
		s.kept.Last = map[string][]*float64{}
	}
	s.found, s.now = map[string][2]bool{}, map[string][]float64{}
	for a := range s.arms {
		s.readArm(ctx, arm(a), part)
	}
	s.kept.At = at
	if usable {
		s.add(part, from)
	}
}

// readArm reads the pages of one arm, several at once, into a part.
func (s *scrape) readArm(ctx context.Context, a arm, part ScrapePart) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, scrapeParallel)
	s.read[a], s.why[a] = 0, ""
	for _, p := range s.arms[a] {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			series, err := s.fetch(ctx, p.url)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				delete(s.kept.Last, p.id) // what it counted meanwhile cannot be told apart
				s.why[a] = p.id + ": " + cut(err.Error(), 120)
				return
			}
			s.read[a]++
			s.take(a, p.id, series, part)
		})
	}
	wg.Wait()
}

// take adds one page's growth to a part.
func (s *scrape) take(a arm, id string, series []metric, part ScrapePart) {
	last, values := s.kept.Last[id], make([]*float64, len(s.exprs))
	for expr, pick := range s.picks {
		matched := pick.of(series)
		if len(matched) == 0 {
			continue
		}
		found := s.found[expr]
		found[a] = true
		s.found[expr] = found
		if a == exposed {
			s.now[expr] = append(s.now[expr], matched...)
		}
		i := slices.Index(s.exprs, expr)
		if i < 0 {
			continue
		}
		sum := 0.0
		for _, m := range matched {
			sum += m
		}
		if math.IsNaN(sum) || math.IsInf(sum, 0) || sum < 0 {
			continue // not a counter's value: as if the series were missing
		}
		values[i] = &sum
	}
	for i, v := range values {
		switch {
		case v == nil || last == nil:
		case last[i] == nil: // the series is new, and so is all that it counted
			part.Counts[i][a] += *v
		case *v >= *last[i]:
			part.Counts[i][a] += *v - *last[i]
		default: // reset
			part.Counts[i][a] += *v
		}
	}
	s.kept.Last[id] = values
}

// add keeps a part, joined to the newest one while that is short, and forgets
// those that ended before from.
func (s *scrape) add(part ScrapePart, from time.Time) {
	parts := s.kept.Parts
	span := s.spec.Window.Std() / ringParts
	if n := len(parts); n > 0 && part.At.Sub(parts[n-1].From) <= span && parts[n-1].At.Equal(part.From) {
		joined := ScrapePart{From: parts[n-1].From, At: part.At, Counts: slices.Clone(part.Counts)}
		for i, c := range parts[n-1].Counts {
			joined.Counts[i][0] += c[0]
			joined.Counts[i][1] += c[1]
		}
		parts = append(slices.Clone(parts[:n-1]), joined)
	} else {
		parts = append(slices.Clone(parts), part)
	}
	s.kept.Parts = slices.DeleteFunc(parts, func(p ScrapePart) bool { return !p.At.After(from) })
}

func (s *scrape) count(_ context.Context, expr string, a arm, w window, _ bool) reading {
	r := reading{query: expr}
	switch {
	case len(s.arms[a]) == 0:
		return noData(expr, "no target to read")
	case 2*s.read[a] < len(s.arms[a]):
		return noData(expr, "%d of %d metrics pages could not be read (%s)", len(s.arms[a])-s.read[a], len(s.arms[a]), s.why[a])
	case !s.found[expr][a]:
		r = noData(expr, "no page has the series")
		r.empty = true
		return r
	}
	i := slices.Index(s.exprs, expr)
	if i < 0 {
		return noData(expr, "the expression is not one of the spec's")
	}
	for _, p := range s.kept.Parts {
		if p.At.After(w.from) {
			r.value += p.Counts[i][a]
			r.span += p.At.Sub(p.From)
		}
	}
	if r.span == 0 {
		return reading{verdict: Unexercised, why: "the pages were read only once since the stage was applied", query: expr}
	}
	return r.counted()
}

// gauge is the mean over all series of the exposed targets.
func (s *scrape) gauge(_ context.Context, expr string, _ window) reading {
	if 2*s.read[exposed] < len(s.arms[exposed]) {
		return noData(expr, "%d of %d metrics pages could not be read (%s)", len(s.arms[exposed])-s.read[exposed], len(s.arms[exposed]), s.why[exposed])
	}
	values := s.now[expr]
	if len(values) == 0 {
		return noData(expr, "no page has the series")
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return reading{value: sum / float64(len(values)), query: expr}.usable()
}
