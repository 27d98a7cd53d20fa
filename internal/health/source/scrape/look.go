package scrape

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/promapi"
)

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

// uneven says that a page was read much later in a read than in the one before, or earlier: what it
// counted meanwhile is not of the time that others counted in. A worker that stood still in the
// middle of a read would find that traffic has moved.
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
