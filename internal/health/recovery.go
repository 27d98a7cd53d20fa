package health

import (
	"math"
	"slices"

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
)

// Condemned is a check that failed, and by how much.
type Condemned struct {
	Check string `json:"check"`
	// Times is how many times worse than usual the exposed targets were; 0 where the check compares
	// nothing.
	Times float64 `json:"times,omitempty"`
	// Share is the part of the exposed targets' events that was bad; 0 where the check compares
	// nothing.
	Share float64 `json:"share,omitempty"`
}

// Condemned are the checks that make a report a FAIL.
func (r Report) Condemned() []Condemned {
	var out []Condemned
	for _, res := range r.deciding() {
		if res.Verdict != Fail {
			continue
		}
		c := Condemned{Check: res.Check}
		if res.Estimate != nil && len(res.Trace) > 0 { // a comparison
			c.Times = *res.Estimate
			if seen := exposedOf(res.Trace); seen.Total > 0 {
				c.Share = seen.Bad / seen.Total
			}
		}
		out = append(out, c)
	}
	return out
}

// Of is the part of a report that is about these checks, NODATA where it has not got one. Of no
// checks it is the whole report.
func (r Report) Of(checks []string) Report {
	if len(checks) == 0 {
		return r
	}
	part := Report{At: r.At}
	for _, name := range checks {
		i := slices.IndexFunc(r.Results, func(res Result) bool { return res.Check == name && !res.Advisory })
		if i < 0 {
			part.Results = append(part.Results, Result{Check: name, Verdict: NoData, Sentence: "it was not looked at"})
			continue
		}
		part.Results = append(part.Results, r.Results[i])
	}
	return part
}

// CheckNames are the names of condemned checks.
func CheckNames(cs []Condemned) []string {
	var out []string
	for _, c := range cs {
		out = append(out, c.Check)
	}
	return out
}

// harm is a check as it failed; the zero value where nobody knows.
func (b Binding) harm(check string) Condemned {
	i := slices.IndexFunc(b.Condemned, func(c Condemned) bool { return c.Check == check })
	if i < 0 {
		return Condemned{}
	}
	return b.Condemned[i]
}

// exposedOf is all that the exposed targets showed.
func exposedOf(t judge.Trace) (all sequential.Counts) {
	for _, p := range t {
		all.Bad, all.Total = all.Bad+p.Exposed.Bad, all.Total+p.Exposed.Total
	}
	return all
}

// over says that targets that were taken back have far fewer bad events than when their check
// failed: less than half the share, wrongly with probability recoveredRisk at most (Chernoff's
// bound), though events come together. It is for where nothing else fails either, so that times of
// it tell nothing.
func (c Condemned) over(seen sequential.Counts) bool {
	expected := seen.Total * c.Share / recovered
	if seen.Bad >= expected {
		return false
	}
	nats := expected - seen.Bad
	if seen.Bad > 0 {
		nats -= seen.Bad * math.Log(expected/seen.Bad)
	}
	return nats/sequential.UsualBurst >= -math.Log(recoveredRisk)
}
