package main

import (
	"math"

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
)

// seen are both arms of a look, if both were read and had traffic.
func seen(l judge.ArmCounts) (exposed, control sequential.Counts, ok bool) {
	if l.Exposed == nil || l.Control == nil || l.Exposed.Total <= 0 || l.Control.Total <= 0 {
		return exposed, control, false
	}
	return *l.Exposed, *l.Control, true
}

// gained is the logarithm of how much likelier a look's split of bad events is if the exposed arm
// is ratio times worse than if it is not.
func gained(l judge.ArmCounts, ratio float64) float64 {
	e, c, ok := seen(l)
	if !ok {
		return 0
	}
	return e.Bad*math.Log(ratio) - (e.Bad+c.Bad)*math.Log((ratio*e.Total+c.Total)/(e.Total+c.Total))
}

// grid is the likelihood ratio mixed over a grid of ratios, of faults that are there from the first
// look on.
func grid(name string) rule {
	ratios := sequential.Ratios()
	return rule{name, func(series) score {
		sums := make([]float64, len(ratios))
		return func(_ int, l judge.ArmCounts) float64 {
			total := 0.0
			for j, r := range ratios {
				sums[j] += gained(l, r)
				total += math.Exp(sums[j])
			}
			return math.Log(total / float64(len(ratios)))
		}
	}}
}

// oracle is the sequential probability ratio test (Wald, 1945) that knows how bad a fault will be
// and when it begins: nothing that keeps its rate is much faster.
func oracle(name string) rule {
	return rule{name, func(s series) score {
		sum := 0.0
		return func(i int, l judge.ArmCounts) float64 {
			if i >= s.onset {
				sum += gained(l, s.factor)
			}
			return sum
		}
	}}
}

// apart is the plain test of two proportions, of all looks so far, read at every look: the score is
// in standard deviations.
func apart(name string) rule {
	return rule{name, func(series) score {
		var a, b sequential.Counts
		return func(_ int, l judge.ArmCounts) float64 {
			if e, c, ok := seen(l); ok {
				a = sequential.Counts{Bad: a.Bad + e.Bad, Total: a.Total + e.Total}
				b = sequential.Counts{Bad: b.Bad + c.Bad, Total: b.Total + c.Total}
			}
			p := (a.Bad + b.Bad) / (a.Total + b.Total)
			return (a.Bad/a.Total - b.Bad/b.Total) / math.Sqrt(p*(1-p)*(1/a.Total+1/b.Total))
		}
	}}
}
