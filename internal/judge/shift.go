package judge

import (
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/sequential"
)

// ShiftCriteria are what a number is judged by, look by look. Criteria.Worse, Objective, Burn,
// Traffic, Enough and MinSamples mean nothing here.
type ShiftCriteria struct {
	Criteria
	// Drop and Rise are by how much the number may fall and rise, as a part of what is usual; below
	// 0 that side is not judged.
	Drop, Rise float64
	// Season are how long ago the time of a look was like it, such as a day and a week.
	Season []time.Duration
}

// Span is a part of the time since a change whose mean is compared, in steps since the change:
// after From, up to To.
type Span struct {
	From int `json:"from"`
	To   int `json:"to"`
	// Usual is what the mean would be if nothing had changed, unless it is Unknown.
	Usual   float64 `json:"usual"`
	Unknown bool    `json:"unknown,omitempty"`
	// Spread is how far such a mean was from what was usual then while nothing was changed, as a
	// standard deviation, and Most how far at most. Freedom is on how many cases of their own that
	// rests.
	Spread  float64 `json:"spread"`
	Most    float64 `json:"most"`
	Freedom float64 `json:"freedom"`
	// Season are how many steps ago the times were that tell what is usual, beside the time just
	// before the change.
	Season []int `json:"season,omitempty"`
}

// PastShift is what a check of a shift knows of the time before a change. Its zero value knows
// nothing.
type PastShift struct {
	Spans []Span `json:"spans,omitempty"`
	// Looks is how many steps of the past showed the number.
	Looks int `json:"looks,omitempty"`
}

const (
	// mostSpans bounds what is kept of a bake.
	mostSpans = 40
	// leastFreedom is on how many cases of their own a season must rest to be preferred, and
	// leastCases how many it takes to say anything at all.
	leastFreedom, leastCases = 4, 2
	// mostCases bounds the work for a span.
	mostCases = 4000
)

// spansOf are those of a bake: from the change on to moments each half as far on again, and between
// these moments.
func spansOf(bake, step time.Duration) []Span {
	var out []Span
	last := 0
	for _, at := range checkpoints(bake, step) {
		to := int((at + step/2) / step)
		if to < leastLooks || to <= last || len(out) >= mostSpans {
			continue
		}
		out = append(out, Span{To: to})
		if last > 0 && to-last >= leastLooks {
			out = append(out, Span{From: last, To: to})
		}
		last = to
	}
	return out
}

// NewPastShift looks for what is usual in what was seen before a change, a number for each step up
// to it, the oldest first; NaN is none. Alike are the same of targets that nothing is changed on,
// which show how far such a number goes by itself, too.
func NewPastShift(c ShiftCriteria, step time.Duration, own []float64, alike [][]float64) PastShift {
	p := PastShift{Spans: spansOf(c.Bake, step)}
	for _, v := range own {
		if !math.IsNaN(v) {
			p.Looks++
		}
	}
	all := []sums{sumsOf(own)}
	for _, other := range alike {
		all = append(all, sumsOf(other))
	}
	for i := range p.Spans {
		p.Spans[i] = p.Spans[i].learn(all, seasons(c.Season, step))
	}
	p.lend()
	return p
}

// lend tells spans that are too long for the past how far shorter ones went: if the number wanders,
// as far as the root of how much longer they are.
func (p PastShift) lend() {
	from := -1
	for i, s := range p.Spans {
		if s.Freedom >= leastCases && (from < 0 || s.Freedom > p.Spans[from].Freedom) {
			from = i
		}
	}
	for i, s := range p.Spans {
		if from < 0 || s.Freedom >= leastCases || s.Unknown {
			continue
		}
		short := p.Spans[from]
		longer := math.Sqrt(max(1, float64(s.To+s.length())/float64(short.To+short.length())))
		p.Spans[i].Spread, p.Spans[i].Most, p.Spans[i].Freedom = short.Spread*longer, max(s.Most, short.Most*longer), short.Freedom
	}
}

// seasons are the sets of lags, in steps, among which a span chooses: none, each, and all together.
func seasons(of []time.Duration, step time.Duration) [][]int {
	out := [][]int{nil}
	var all []int
	for _, d := range of {
		lag := int(d / step)
		all = append(all, lag)
		out = append(out, []int{lag})
	}
	if len(all) > 1 {
		out = append(out, all)
	}
	return out
}

// learn chooses the seasons by which the past was best foretold.
func (s Span) learn(all []sums, sets [][]int) Span {
	best := s
	best.Unknown = true
	for _, set := range sets {
		one := s
		one.Season = set
		if one = one.learnBy(all); math.IsNaN(one.Usual) {
			continue
		}
		if best.Unknown || one.Freedom >= leastFreedom && one.Spread < best.Spread {
			best = one
		}
	}
	return best
}

// learnBy takes the time before the change and the span's seasons for usual.
func (s Span) learnBy(all []sums) Span {
	end := len(all[0].n) - 1
	s.Usual = s.expected(all[0], end)
	squares, fourth, cases, blocks := 0.0, 0.0, 0.0, 0.0
	for i, x := range all {
		first, last := s.length()+slices.Max(append([]int{0}, s.Season...)), len(x.n)-1-s.To
		stride := max(1, s.length()/4, (last-first)/mostCases)
		seen := 0
		for at := first; at <= last; at += stride {
			if off := x.mean(at+s.From, at+s.To) - s.expected(x, at); !math.IsNaN(off) {
				squares, fourth, cases, seen = squares+off*off, fourth+off*off*off*off, cases+1, seen+1
				s.Most = max(s.Most, math.Abs(off))
			}
		}
		own := float64(seen*stride) / float64(s.length()+s.To)
		if i > 0 { // they are compared with one another
			own *= float64(len(all)-2) / float64(len(all)-1)
		}
		blocks += own
	}
	s.Spread, s.Freedom = math.Sqrt(squares/max(1, cases)), min(blocks, cases)
	if excess := fourth*cases/max(1e-300, squares*squares) - 3; excess > 0 { // of Student's distribution it is 6/(freedom-4)
		s.Freedom = min(s.Freedom, 4+6/excess)
	}
	return s
}

func (s Span) length() int { return s.To - s.From }

// expected is what the span's mean would be after a moment, by as long a time before it, and by how
// far the same went in its seasons.
func (s Span) expected(x sums, at int) float64 {
	usual := x.mean(max(0, at-s.length()), at)
	if at < leastLooks {
		return math.NaN()
	}
	for _, lag := range s.Season {
		then := at - lag
		usual += (x.mean(then+s.From, then+s.To) - x.mean(then-s.length(), then)) / float64(len(s.Season))
	}
	return usual
}

// sums are running sums of numbers, and of how many there are.
type sums struct{ n, sum []float64 }

func sumsOf(values []float64) sums {
	s := sums{make([]float64, 1, len(values)+1), make([]float64, 1, len(values)+1)}
	for i, v := range values {
		n := 1.0
		if math.IsNaN(v) || !usableNumber(v) {
			n, v = 0, 0
		}
		s.n, s.sum = append(s.n, s.n[i]+n), append(s.sum, s.sum[i]+v)
	}
	return s
}

// mean is that of a part; none where less than half of it was seen.
func (s sums) mean(from, to int) float64 {
	if from < 0 || to >= len(s.n) || from >= to {
		return math.NaN()
	}
	if n := s.n[to] - s.n[from]; 2*n >= float64(to-from) && n > 0 {
		return (s.sum[to] - s.sum[from]) / n
	}
	return math.NaN()
}

// chance is how likely it is that a mean is as far beyond what is allowed by itself: by Student's
// distribution of how far it went before. What has gone as far before is no harm.
func (s Span) chance(mean, allowed float64, above bool) float64 {
	off, from := mean-allowed, mean-s.Usual
	if !above {
		off, from = -off, -from
	}
	if s.Freedom < leastCases || !(off > 0) || from <= s.Most {
		return 1
	}
	slip := 1e-9 * max(math.Abs(mean), math.Abs(s.Usual))
	return sequential.Student(off/max(s.Spread*math.Sqrt(1+1/s.Freedom), slip), s.Freedom)
}
