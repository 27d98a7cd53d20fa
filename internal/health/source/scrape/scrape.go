// Package scrape is a source of health that reads the targets' own metrics pages. A page has
// no past, so this source keeps what the counters grew by between reads.
package scrape

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
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

// pages reads the targets' own pages. A page has no past, so it keeps what the
// counters grew by between reads; a counter that fell was reset, and counts from
// zero.
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
	// values are what the pages that were read last count, by target: what they grew by is told from it.
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
	// measured is how long that took, and ran how long targets of earlier stages had run the release by the
	// beginning of this one, added up.
	measured, ran time.Duration
}

// place is where a target's page is.
type place struct{ id, url string }

// sight is what the newest read of an arm has shown.
type sight struct {
	pages  int    // that could be read
	why    string // one of the others could not
	denied bool   // one of the others wants to know who asks
	counts map[string]*shown
	gauges map[string]*shown
	known  map[string]map[string]bool // counters of which a page has the name and the labels, by target
	named  map[string]map[string]bool // the same, whatever the labels
	broken map[string]string          // what is wrong with pages that could not be read, by target
	values []source.Values            // what the pages count since their programs began
}

func newSight() sight {
	return sight{
		counts: map[string]*shown{}, gauges: map[string]*shown{},
		known: map[string]map[string]bool{}, named: map[string]map[string]bool{}, broken: map[string]string{},
	}
}

// shown is what the pages of an arm show of one expression.
type shown struct {
	values []float64
	of     map[string]source.Reading // by target, where a check asks for each
	stamps map[string]time.Time      // of their samples
	newest time.Time                 // sample, as the pages say it; now where they do not
	wrong  string                    // that no number can be made of
}

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

// Settling takes no time: restarts are seen.
func (s *pages) Settling() time.Duration { return 0 }

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

// Refresh reads every page and adds what the counters grew by.
func (s *pages) Refresh(ctx context.Context, at, from time.Time) {
	s.began = time.Now()
	if s.kept.At.Sub(at) > s.gap {
		s.kept = State{} // from a clock so far ahead that nothing tells when it was
	}
	at = source.Later(at, s.kept.At.Add(1)) // another worker's clock may be ahead
	part := Part{From: s.kept.At, At: at, Counts: make([][arms]float64, len(s.exprs))}
	// Over a gap, growth is no evidence of the time since: it is measured anew.
	s.usable = !s.kept.At.IsZero() && !s.kept.At.Before(s.begin) && at.Sub(s.kept.At) <= s.gap
	if s.kept.Last == nil {
		s.kept.Last = map[string][]*float64{}
	}
	s.each = EachPart{From: part.From, At: part.At, Counts: map[string][]float64{}}
	s.grew = ValuesPart{From: part.From, At: part.At, Of: make([]Arms, len(s.asked.breakdowns))}
	for a := range s.seen {
		s.seen[a] = newSight()
		s.seen[a].values = make([]source.Values, len(s.asked.breakdowns))
	}
	for _, a := range source.Arms(false) {
		s.readArm(ctx, a, &part)
	}
	s.kept.At = at
	s.kept.Lost = s.losing(at)
	s.newest = Part{}
	if s.usable {
		s.newest = part
		s.kept.add(part, s.spec.Window.Std()/ringParts, from)
		s.kept.addEach(s.each, s.spec.Window.Std()/eachParts, from)
		s.kept.addValues(s.grew, s.spec.Window.Std()/eachParts, from)
	}
}

// readArm reads the pages of one arm, several at once, into a part.
func (s *pages) readArm(ctx context.Context, a source.Arm, part *Part) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, scrapeParallel)
	for _, p := range s.arms[a] {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			pg, err := s.fetch(ctx, p.url)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				delete(s.kept.Last, p.id) // what it counted meanwhile cannot be told apart
				why := source.Cut(s.redact(err.Error()), 120)
				_, denied := errors.AsType[promapi.Denied](err)
				for _, in := range s.in(a, p) {
					s.seen[in].broken[p.id], s.seen[in].why = why, p.id+": "+why
					s.seen[in].denied = s.seen[in].denied || denied
				}
				return
			}
			if s.uneven(p.id, part.length()) {
				delete(s.kept.Last, p.id)
			}
			s.take(s.in(a, p), p.id, pg, part)
		})
	}
	wg.Wait()
}

// uneven says that a page was read much later in a read than in the one before, or earlier:
// what it counted meanwhile is not of the time that others counted in. A worker that stood
// still in the middle of a read would find that traffic has moved.
func (s *pages) uneven(id string, length time.Duration) bool {
	before := s.lags[id]
	s.lags[id] = time.Since(s.began)
	return (s.lags[id] - before).Abs() > max(time.Second, length/2)
}

// count notes what a page shows of a counter, and whether it has the name and the labels.
func (in *sight) count(expr, id string, v *float64, newest time.Time, wrong string, f found) {
	note(in.counts, expr, id, v, newest, wrong)
	if v != nil || f.known {
		mark(in.known, expr, id)
	}
	if f.named {
		mark(in.named, expr, id)
	}
}

func mark(in map[string]map[string]bool, expr, id string) {
	if in[expr] == nil {
		in[expr] = map[string]bool{}
	}
	in[expr][id] = true
}

// take reads the spec's expressions off a page of a target that is in these arms.
func (s *pages) take(in []source.Arm, id string, pg page, part *Part) {
	if s.asked.histograms {
		s.buckets = pg.buckets
	}
	sound := true
	values := make([]*float64, len(s.exprs))
	for i, expr := range s.exprs {
		v, newest, wrong := s.asked.counter(expr, pg)
		stamp := pg.when(newest, part.At)
		values[i], sound = v, sound && wrong == "" && (v == nil || !stamp.Before(s.begin)) // growth since then is no evidence
		for _, a := range in {
			s.seen[a].count(expr, id, v, stamp, wrong, pg.of(expr))
		}
	}
	for _, expr := range s.plain {
		v, newest, wrong := s.asked.gauge(expr, pg)
		for _, a := range in {
			note(s.seen[a].gauges, expr, id, v, pg.when(newest, part.At), wrong)
		}
	}
	for _, a := range in {
		s.seen[a].pages++
	}
	if !sound { // the next values could not be compared with these
		delete(s.kept.Last, id)
		return
	}
	grew := s.kept.take(in, id, values, part)
	s.takeValues(in, id, pg.values, grew != nil)
	if grew == nil || in[0] != source.Exposed {
		return
	}
	if s.sums != nil {
		s.sums[id] = added(s.sums[id], grew)
	}
	if len(s.single) == 0 {
		return
	}
	s.each.Counts[id] = make([]float64, len(s.single))
	for i, expr := range s.single {
		s.each.Counts[id][i] = grew[slices.Index(s.exprs, expr)]
	}
}
