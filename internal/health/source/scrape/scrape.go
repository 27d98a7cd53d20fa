// Package scrape is a source of health that reads the targets' own metrics pages. A page has no
// past, so this source keeps what the counters grew by between reads.
package scrape

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/promapi"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// Limits on reading metrics pages.
const (
	scrapeParallel = 50
	scrapeTimeout  = 5 * time.Second
	// lookSlack is what looks may take beyond the time between them.
	lookSlack = time.Minute
)

// pages reads the targets' own pages. A page has no past, so it keeps what the counters grew by
// between reads; a counter that fell was reset, and counts from zero.
type pages struct {
	spec     spec.Health
	baseline time.Duration
	client   *http.Client
	redact   func(string) string
	begin    time.Time
	gap      time.Duration // between two reads, at most, for growth to count
	arms     [arms][]place
	sizes    [arms]int
	asked    asked
	exprs    []string // counters, in the order of State.Last
	plain    []string // numbers that are no counters
	single   []string // counters of single targets, in the order of EachPart.Counts
	older    int      // how many of them are those of checks

	kept  State
	began time.Time   // the newest read, by this machine's clock
	seen  [arms]sight // of the newest read
	// lags are how long after the beginning of the newest read each page was read.
	lags map[string]time.Duration
	// values are what the pages that were read last count, by target: what they grew by is told
	// from it.
	values map[string][]source.Values
	// newest is what the newest read added, if that counts, which is usable.
	newest Part
	usable bool
	// buckets are the bounds of histograms on the newest page, where a check asks.
	buckets map[string][]float64
	// baselooks are the looks of a baseline, and usually what they show of numbers.
	baselooks []Part
	numbers   baselineNumbers
	each      EachPart   // by the newest read
	grew      ValuesPart // the same of events that are told apart
	// sums are what each exposed target has counted since the baseline began, and shown what it
	// showed before the stage. As many as silent may have no page.
	sums   map[string][]float64
	shown  source.Shown
	silent int
	// measured is how long that took, and ran how long targets of earlier stages had run the
	// release by the beginning of this one, added up.
	measured, ran time.Duration
}

// place is where a target's page is.
type place struct{ id, url string }

// Open is the source that reads the targets' own metrics pages. It reads nothing yet.
func Open(h spec.Health, b source.Scope, d source.Deps) (source.Source, error) {
	var own Scrape
	if err := h.Source.Decode(&own); err != nil {
		return nil, fmt.Errorf("health.scrape: %w", err)
	}
	s := &pages{
		spec: h, baseline: own.Baseline.Std(), redact: d.Redact, client: &http.Client{Transport: d.Transport, CheckRedirect: promapi.NoRedirect},
		begin: b.Since.Add(h.Warmup.Std()), lags: map[string]time.Duration{}, values: map[string][]source.Values{},
		shown: b.Shown, silent: b.Silent, measured: b.Baseline.Length(), ran: b.Ran,
		gap: max(h.StaleAfter.Std(), 2*h.Every.Std()) + lookSlack, sizes: [arms]int{len(b.Exposed), len(b.Control), len(b.Cohort)},
	}
	for _, c := range h.Checks {
		if err := s.readyCheck(c); err != nil {
			return nil, err
		}
	}
	if err := s.pick(&s.exprs, h.Traffic); err != nil {
		return nil, err
	}
	s.older = len(s.single)
	s.keepEach(h.Traffic) // after those of checks: states of earlier workers lack it
	// A ring has one part more than the window is cut into, and one that is growing.
	numbers := 2*len(s.exprs) + (eachParts+2)*len(s.single)
	most := max(1, min(own.Sample, maxKept/max(1, numbers)))
	for a, targets := range [2][]fleet.Target{b.Exposed, b.Control} {
		if source.Arm(a) == source.Exposed {
			targets = sample(b, most)
		}
		for _, t := range source.Sample(targets, most) {
			url, err := tmpl.Fill(own.URL, tmpl.ForTarget(t.ID, t.Address, t.Labels))
			if err != nil {
				return nil, fmt.Errorf("health.scrape.url: %w", err)
			}
			s.arms[a] = append(s.arms[a], place{id: t.ID, url: url})
		}
	}
	cohort := fleet.Set(fleet.IDs(b.Cohort))
	for _, p := range s.arms[source.Exposed] {
		if cohort[p.id] {
			s.arms[ownArm] = append(s.arms[ownArm], p)
		}
	}
	return s, nil
}

// readyCheck readies what a check asks for. Its order is that of the parts of states.
func (s *pages) readyCheck(c spec.Check) error {
	if c.Slow != nil {
		s.asked.histograms = true
		q := selectorsOf(*c.Slow)
		c.Bad, c.Total = q.Within, q.Total
	}
	if err := s.pick(&s.exprs, c.Bad, c.Total); err != nil {
		return err
	}
	if c.Bad != "" && c.Slow == nil {
		s.asked.tellApart(c.Bad, c.Total)
	}
	if e := c.Exercise; e != nil {
		if err := s.pick(&s.exprs, e.Count); err != nil {
			return err
		}
	}
	if err := s.pick(&s.plain, c.Value); err != nil {
		return err
	}
	if c.Each != "" {
		s.keepEach(c.Bad, c.Total)
	}
	return nil
}

// pick readies expressions.
func (s *pages) pick(into *[]string, exprs ...string) error {
	for _, expr := range exprs {
		if expr == "" || slices.Contains(*into, expr) {
			continue
		}
		if err := s.asked.add(expr); err != nil {
			return err
		}
		*into = append(*into, expr)
	}
	return nil
}

// Absence is the time between two looks, less what looks may come early.
func (s *pages) Absence() time.Duration { return s.spec.Every.Std() * 9 / 10 }

// RestartSpan is 0: restarts are seen.
func (s *pages) RestartSpan() time.Duration { return 0 }

func (s *pages) Coverage(_ string, a source.Arm) (read, of int) { return len(s.arms[a]), s.sizes[a] }

func (s *pages) State() json.RawMessage {
	raw, err := json.Marshal(s.kept)
	if err != nil { // pages are read anew
		return nil
	}
	return raw
}

func (s *pages) Restore(raw json.RawMessage) error {
	var k State
	if err := json.Unmarshal(raw, &k); err != nil {
		return fmt.Errorf("state of metrics pages: %w", err)
	}
	if err := k.matchesCounters(len(s.exprs), len(s.single), s.older); err != nil {
		return err
	}
	s.kept = k
	return nil
}

// Baseline reads as often as a stage's looks do, at least twice.
func (s *pages) Baseline(ctx context.Context, at time.Time) (source.Window, error) {
	began := time.Now()
	s.begin = time.Time{}
	s.gap = 2*s.baseline + time.Minute // its own length, and slow pages
	s.Refresh(ctx, at, at)
	s.baselooks, s.numbers, s.sums = nil, baselineNumbers{}, map[string][]float64{}
	end := at
	for left := s.baseline; left > 0; left -= s.spec.Every.Std() {
		if err := pause.For(ctx, min(left, s.spec.Every.Std())); err != nil {
			return source.Window{}, err
		}
		end = at.Add(time.Since(began))
		s.Refresh(ctx, end, at)
		s.numbers.add(s.seen)
		if len(s.newest.Counts) > 0 && len(s.baselooks) < source.PastLooks {
			s.baselooks = append(s.baselooks, s.newest)
		}
	}
	return source.Window{From: at, At: end}, ctx.Err()
}
