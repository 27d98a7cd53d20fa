package scrape

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
)

// State is what was read of metrics pages so far.
type State struct {
	// At is when the pages were last read.
	At time.Time `json:"at,omitzero"`
	// Last is each target's last value of each counter, by target id, in the order of the spec's
	// expressions; nil where the page has no such series.
	Last map[string][]*float64 `json:"last,omitempty"`
	// Parts are increments, oldest first.
	Parts []Part `json:"parts,omitempty"`
	// Lost are the exposed targets whose pages lack what they showed before the stage, or could not
	// be read, and since when.
	Lost map[string]time.Time `json:"lost,omitempty"`
	// Each are increments of every exposed target, oldest first, where checks ask for them.
	Each []EachPart `json:"each,omitempty"`
	// Values are increments told apart by the values of labels, oldest first, where checks pick bad
	// events by them.
	Values []ValuesPart `json:"values,omitempty"`
}

// Part is what the counters grew by in a span of time, by expression: the exposed targets, the
// control, then those exposed targets that are the stage's own.
type Part struct {
	From   time.Time       `json:"from"`
	At     time.Time       `json:"at"`
	Counts [][arms]float64 `json:"counts"`
	// Seconds is how long each arm's targets were counted, added up over targets: less than targets
	// times span when pages could not be read.
	Seconds [arms]float64 `json:"seconds"`
	// Restarted is the share of Counts and Seconds of targets that restarted meanwhile: what they
	// had counted until then is not known.
	Restarted *Restarted `json:"restarted,omitempty"`
}

// Restarted is what targets counted in a span of time in which they restarted.
type Restarted struct {
	Counts  [][arms]float64 `json:"counts"`
	Seconds [arms]float64   `json:"seconds"`
}

const (
	// ringParts is into how many parts the window of increments is cut: coarse enough for a small
	// state, fine enough for the window to trail smoothly.
	ringParts = 30
	// eachParts is the same of single targets' increments, of which there are many.
	eachParts = 5
	// maxKept is how many numbers a state holds, at most: counters' last values over both arms, and
	// single targets' increments. It travels with every heartbeat.
	maxKept = 20_000
)

// matchesCounters says whether the state is one of so many counters, of which so many are kept of
// each target; older is how many a worker kept that did not count each one's requests.
func (k State) matchesCounters(counters, each, older int) error {
	for id, values := range k.Last {
		if len(values) != counters {
			return fmt.Errorf("state of target %s has %d counters, expected %d", id, len(values), counters)
		}
	}
	for _, p := range k.Parts {
		if len(p.Counts) != counters {
			return fmt.Errorf("state from %s has %d counters, expected %d", p.At.Format(time.RFC3339), len(p.Counts), counters)
		}
		if r := p.Restarted; r != nil && len(r.Counts) != counters {
			return fmt.Errorf("state from %s has %d counters of restarts, expected %d", p.At.Format(time.RFC3339), len(r.Counts), counters)
		}
	}
	for _, p := range k.Each {
		for id, counts := range p.Counts {
			if len(counts) != each && len(counts) != older {
				return fmt.Errorf("state of target %s from %s has %d counters, expected %d", id, p.At.Format(time.RFC3339), len(counts), each)
			}
		}
	}
	return nil
}

// take keeps a target's values and adds what they grew by to the part. It answers the growth; nil
// after the first read, which tells none.
func (k *State) take(in []source.Arm, id string, values []*float64, part *Part) []float64 {
	last, known := k.Last[id]
	k.Last[id] = values
	if !known {
		return nil
	}
	grew := make([]float64, len(values))
	restarted := false
	for i, v := range values {
		if v != nil {
			grew[i] = increase(last[i], *v)
			restarted = restarted || last[i] != nil && *v < *last[i]
		}
	}
	for _, a := range in {
		part.Seconds[a] += part.length().Seconds()
		for i, n := range grew {
			part.Counts[i][a] += n
		}
		if restarted {
			part.restarted(a, grew)
		}
	}
	return grew
}

// restarted adds a target's growth also to that of those that restarted.
func (p *Part) restarted(a source.Arm, grew []float64) {
	if p.Restarted == nil {
		p.Restarted = &Restarted{Counts: make([][arms]float64, len(grew))}
	}
	p.Restarted.Seconds[a] += p.length().Seconds()
	for i, v := range grew {
		p.Restarted.Counts[i][a] += v
	}
}

// increase is what a counter has counted since it was read last. One that is new or fell has begun
// at zero meanwhile.
func increase(last *float64, now float64) float64 {
	if last == nil || now < *last {
		return now
	}
	return now - *last
}

// add keeps a part, joined to the newest one while that is shorter than span, and forgets those
// that ended before from.
func (k *State) add(part Part, span time.Duration, from time.Time) {
	parts := slices.Clone(k.Parts)
	if n := len(parts); n > 0 && parts[n-1].At.Equal(part.From) && part.At.Sub(parts[n-1].From) <= span {
		parts[n-1] = parts[n-1].join(part)
	} else {
		parts = append(parts, part)
	}
	k.Parts = slices.DeleteFunc(parts, func(p Part) bool { return !p.At.After(from) })
}

func (p Part) length() time.Duration { return p.At.Sub(p.From) }

// join is a part that covers both.
func (p Part) join(next Part) Part {
	p.At, p.Counts = next.At, sums(p.Counts, next.Counts)
	for a := range p.Seconds {
		p.Seconds[a] += next.Seconds[a]
	}
	switch {
	case p.Restarted == nil:
		p.Restarted = next.Restarted
	case next.Restarted != nil:
		both := Restarted{Counts: sums(p.Restarted.Counts, next.Restarted.Counts), Seconds: p.Restarted.Seconds}
		for a := range both.Seconds {
			both.Seconds[a] += next.Restarted.Seconds[a]
		}
		p.Restarted = &both
	}
	return p
}

// sums adds counts of the same expressions.
func sums(some, others [][arms]float64) [][arms]float64 {
	out := slices.Clone(some)
	for i, v := range others {
		for a := range v {
			out[i][a] += v[a]
		}
	}
	return out
}
