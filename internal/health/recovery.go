package health

import "slices"

// Condemned is a check that failed, and by how much.
type Condemned struct {
	Check string `json:"check"`
	// Times is how many times worse than usual the exposed targets were; 0 where the check
	// compares nothing.
	Times float64 `json:"times,omitempty"`
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

// harm is how many times worse a check's targets were when it failed; 0 where nobody knows.
func (b Binding) harm(check string) float64 {
	for _, c := range b.Condemned {
		if c.Check == check {
			return c.Times
		}
	}
	return 0
}
