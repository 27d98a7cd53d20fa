package health

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

// histogramCheck is a check of a histogram at all its bounds at once.
type histogramCheck struct {
	judge  *judge.Distribution
	source source
	// alone says that there is no control to compare with.
	alone   bool
	tallies [2]HistogramTally
}

// HistogramState is what a check of a histogram must remember between looks.
type HistogramState struct {
	judge.DistributionState
	Tallies [2]HistogramTally `json:"tallies"`
}

// HistogramTally is what was counted of a histogram so far, and since when. Its zero
// value has counted nothing.
type HistogramTally struct {
	From time.Time `json:"from,omitzero"`
	// Bounds are those of its buckets, Counts how many values there were within each
	// and in all.
	Bounds sequential.Packed `json:"bounds,omitempty"`
	Counts sequential.Packed `json:"counts,omitempty"`
}

// PastHistograms is what a histogram counted before a stage, in looks of Step each,
// oldest first.
type PastHistograms struct {
	Step   spec.Duration     `json:"step"`
	Bounds sequential.Packed `json:"bounds"`
	// Arms are, of the stage's own targets and of the control, the looks one after
	// another: of each how many values there were within each bound and in all.
	Arms [2]sequential.Packed `json:"arms"`
}

// openDistributions readies the checks of histograms.
func (m *Meter) openDistributions() error {
	m.distributions = map[string]*histogramCheck{}
	for _, c := range m.spec.Checks {
		if c.Distribution == nil {
			continue
		}
		part := &histogramCheck{alone: m.binding.itself(c)}
		var err error
		if part.source, err = m.sourceOf(c, part.alone); err != nil {
			return err
		}
		part.judge = judge.NewDistribution(m.distributionCriteria(c, part.alone), m.binding.Before.Histograms[c.Name].looks())
		m.distributions[c.Name] = part
	}
	return nil
}

// distributionCriteria are what the check is judged by.
func (m *Meter) distributionCriteria(c spec.Check, alone bool) judge.Criteria {
	criteria := m.criteria(c, 1, alone)
	criteria.Worse = 0
	return criteria
}

// looks are those before the stage, as the judge takes them.
func (p PastHistograms) looks() []judge.Histograms {
	wide := len(p.Bounds) + 1
	if wide == 1 {
		return nil
	}
	out := make([]judge.Histograms, len(p.Arms[exposed])/wide)
	for i := range out {
		out[i].At = time.Duration(i+1-len(out)) * p.Step.Std()
		out[i].Exposed, out[i].Control = p.look(exposed, i), p.look(control, i)
	}
	return out
}

// look is one look of an arm; nil where there is none.
func (p PastHistograms) look(a arm, i int) *sequential.Histogram {
	wide := len(p.Bounds) + 1
	if len(p.Arms[a]) < (i+1)*wide {
		return nil
	}
	counts := p.Arms[a][i*wide : (i+1)*wide]
	return &sequential.Histogram{Bounds: p.Bounds, Counts: counts[:wide-1], Total: counts[wide-1]}
}

// compareDistributions reads what is new of a histogram, and judges all there is.
func (m *Meter) compareDistributions(ctx context.Context, c spec.Check, at moment) judged {
	part := m.distributions[c.Name]
	look := judge.Histograms{At: at.at.Sub(m.begin(at))}
	res := Result{Check: c.Name}
	tallies := part.tallies
	var read [2]*sequential.Histogram
	var from []reading
	for _, a := range arms(part.alone) {
		h, r := part.source.histogram(ctx, c.Distribution.Histogram, a, at.window, &tallies[a])
		res.evidence(r)
		if r.verdict != "" {
			return judged{Result: res.without(r)}
		}
		read[a], from = h, append(from, r)
	}
	part.tallies = tallies
	look.Exposed, look.Control = read[exposed], read[control]
	part.judge.See(look)
	if m.unchanged() {
		return judged{Result: res.readable(c, []judge.Look{{Exposed: &sequential.Counts{Total: look.Exposed.Total}}})}
	}
	out := judged{Result: res.of(part.judge.Outcome(look.At), judge.Criteria{})}
	if m.binding.Recovering && out.Verdict == Pass && *out.Value >= recovered {
		out.Verdict = Unexercised
		out.Sentence += notWell
	}
	out.Value, out.Limit = nil, nil // there are as many as bounds
	if part.alone && c.Against == spec.AgainstControl {
		out.Sentence += weaker
	}
	return out.unlessEarly(from...)
}

// histogramLooks is in how many looks the past of a histogram is kept: each is as many
// numbers as it has buckets.
const histogramLooks = 40

// pastHistograms is what histograms counted before the stage, by check.
func (m *Meter) pastHistograms(ctx context.Context, w window) map[string]PastHistograms {
	var out map[string]PastHistograms
	for _, c := range m.spec.Checks {
		part := m.distributions[c.Name]
		if part == nil {
			continue
		}
		long, step := PastSpan(m.binding.Bake, m.spec.Every.Std())
		n := min(histogramLooks, int(long/step))
		step = (long / time.Duration(n)).Truncate(time.Second)
		var shown [2][]sequential.Histogram
		for _, a := range arms(part.alone) {
			shown[a] = m.source.pastHistogram(ctx, c.Distribution.Histogram, a, w.at, n, step)
		}
		if p, ok := commonPast(shown, part.alone); ok {
			p.Step = spec.Duration(step)
			if out == nil {
				out = map[string]PastHistograms{}
			}
			out[c.Name] = p
		}
	}
	return out
}
