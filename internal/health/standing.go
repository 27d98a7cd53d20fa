package health

import "slices"

// Standing is how a check does while a bake goes on. PASS is a gate's word: until then
// "ok so far" is all that can be said of a check that has found nothing.
type Standing string

// The standings of a check that has not failed and has data to judge by.
const (
	OKSoFar Standing = "ok so far"
	// Suspicious says that the evidence of harm has passed the point that
	// Result.Suspicion names, and does not suffice for FAIL yet.
	Suspicious Standing = "suspicious"
)

// MidBake is the report of a look while the bake goes on: no result has the verdict PASS,
// and those that have found nothing, or not enough, have a standing.
func (r Report) MidBake() Report {
	r.Results = slices.Clone(r.Results)
	for i := range r.Results {
		res := &r.Results[i]
		switch {
		case res.Verdict == Fail:
		case res.Pending || res.Suspicion != "":
			res.Standing = Suspicious
		case res.Verdict == Pass:
			res.Standing = OKSoFar
		}
		if res.Verdict == Pass {
			res.Verdict = ""
		}
	}
	return r
}

// Clear says that nothing keeps a report from being PASS at a gate: some check decides,
// and all that do are PASS or, in the middle of a bake, have no verdict but a standing.
func (r Report) Clear() bool {
	decide := r.deciding()
	return len(decide) > 0 && !slices.ContainsFunc(decide, func(res Result) bool {
		return res.Verdict != Pass && (res.Verdict != "" || res.Standing == "")
	})
}

// Word is what is shown of a result: its verdict, or its standing with the number that
// raises suspicion, as in "suspicious (p 0.03)".
func (r Result) Word() string {
	switch {
	case r.Standing == Suspicious && r.Suspicion != "":
		return string(Suspicious) + " (" + r.Suspicion + ")"
	case r.Standing != "":
		return string(r.Standing)
	}
	return string(r.Verdict)
}
