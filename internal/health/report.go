// Package health answers whether a change does harm: it reads numbers from a source and judges
// them. Judging is a pure function of what was read; it knows no clock, no network and nothing of
// Temporal.
package health

import (
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/spec"
)

// Verdict is the answer to one check. Only Pass promotes.
type Verdict = judge.Verdict

// The five verdicts.
const (
	Pass        = judge.Pass
	Fail        = judge.Fail
	NoData      = judge.NoData
	Stale       = judge.Stale
	Unexercised = judge.Unexercised
)

// Result is one check's verdict with its evidence.
type Result struct {
	Check string `json:"check"`
	// Verdict is empty in the middle of a bake, where it would be PASS at a gate.
	Verdict Verdict `json:"verdict,omitempty"`
	// Standing is how the check does in the middle of a bake; empty at a gate.
	Standing Standing `json:"standing,omitempty"`
	// Suspicion says with a number what is more than nothing and less than FAIL: "p 0.03".
	Suspicion string `json:"suspicion,omitempty"`
	// Sentence is the evidence in words a person can read.
	Sentence string `json:"sentence"`
	// Value and Limit are the number that was judged and what it was judged against, for display;
	// nil where there is none. Ratios are fractions.
	Value *float64 `json:"value,omitempty"`
	// Estimate is the number as it was seen, where chance may have a part in it: Value is then what
	// it is at least, unless it is within its limit, or harm is established.
	Estimate *float64 `json:"estimate,omitempty"`
	Limit    *float64 `json:"limit,omitempty"`
	// Samples is how many events the number rests on; 0 for a plain value.
	Samples float64 `json:"samples,omitempty"`
	// Queries are the resolved queries, each cut to 1,000 bytes.
	Queries []string `json:"queries,omitempty"`
	// Warnings are the source's own, at most five.
	Warnings []string `json:"warnings,omitempty"`
	// Pending is set while a breach is still tolerated: the next looks decide.
	Pending bool `json:"pending,omitempty"`
	// CanShow says that the check can end an adaptive bake, and Shown that it has shown enough for
	// that.
	CanShow bool `json:"canShow,omitempty"`
	Shown   bool `json:"shown,omitempty"`
	// Impossible says that the check will never have a verdict: it asks for what the source has not
	// got.
	Impossible bool `json:"impossible,omitempty"`
	// Refused says that whoever was asked refuses the worker: it wants to know who asks.
	Refused bool `json:"refused,omitempty"`
	// External says that the check has asked somebody else than the source: it tells nothing of
	// that.
	External bool `json:"external,omitempty"`
	// Advisory results are shown, and decide nothing.
	Advisory bool `json:"advisory,omitempty"`
	// Trace is how both arms did since the stage was applied, for a drawing.
	Trace judge.Trace `json:"trace,omitempty"`
	// Against is what the second arm of the trace is: control, before (what the exposed targets did
	// before the change) or AgainstObjective (what that allows).
	Against string `json:"against,omitempty"`
	// Mean says that the trace is about means of a number, each Bad divided by Total, and not about
	// shares of bad events.
	Mean bool `json:"mean,omitempty"`
	// Silent are targets that did not answer, at most 1,000: tolerated ones or, of a check that
	// failed for nothing else, those that it failed for.
	Silent []string `json:"silent,omitempty"`
	// Unsure says why the result may be the trouble of the worker that asked: it rests on silence,
	// or the worker could not ask.
	Unsure string `json:"unsure,omitempty"`
	// Replaced are targets, of a check that failed for nothing else but silence, that run another
	// release and have forgotten the rollout's order: new hosts at old addresses.
	Replaced []string `json:"replaced,omitempty"`
}

// Name is the check's, marked where it decides nothing.
func (r Result) Name() string {
	if r.Advisory {
		return r.Check + " (advisory)"
	}
	return r.Check
}

// AgainstObjective is a Result's Against where a check has an objective.
const AgainstObjective = "objective"

// Report is every check's result at one moment.
type Report struct {
	At      time.Time `json:"at"`
	Results []Result  `json:"results"`
	// Clocks are those that are apart from the Temporal server's by more than a second. Times are
	// corrected for them.
	Clocks []Clock `json:"clocks,omitempty"`
	// Unsure says why another worker might see something else; empty if nothing hints at that.
	Unsure string `json:"unsure,omitempty"`
	// Over is by when harm had ended that was seen before anything was changed; zero where there
	// was none, or where it goes on.
	Over time.Time `json:"over,omitzero"`
}

// Clock is how far somebody's clock is ahead of the Temporal server's; behind, where it is
// negative.
type Clock struct {
	Of           string  `json:"of"`
	AheadSeconds float64 `json:"aheadSeconds"`
}

// Verdict is the report's verdict as a whole: Fail if any check failed, Pass only if there is at
// least one check and every one passed, and otherwise the first verdict that is neither. The zero
// Report is NoData.
func (r Report) Verdict() Verdict {
	overall := Pass
	decide := r.deciding()
	if len(decide) == 0 {
		return NoData
	}
	for _, res := range decide {
		switch res.Verdict {
		case Fail:
			return Fail
		case Pass:
		case NoData, Stale, Unexercised:
			if overall == Pass {
				overall = res.Verdict
			}
		default: // an unknown verdict is never a promotion
			if overall == Pass {
				overall = NoData
			}
		}
	}
	return overall
}

// deciding are the results that are not advisory.
func (r Report) deciding() []Result {
	return slices.DeleteFunc(slices.Clone(r.Results), func(res Result) bool { return res.Advisory })
}

// Pending says whether nothing failed and some check is in a breach that it still tolerates: to
// look again decides.
func (r Report) Pending() bool {
	decide := r.deciding()
	return !slices.ContainsFunc(decide, func(res Result) bool { return res.Verdict == Fail }) &&
		slices.ContainsFunc(decide, func(res Result) bool { return res.Pending })
}

// Shown says that some check has shown enough to end an adaptive bake, and that all others that can
// show anything have, too.
func (r Report) Shown() bool {
	decide := r.deciding()
	return !slices.ContainsFunc(decide, func(res Result) bool { return res.CanShow && !res.Shown }) &&
		slices.ContainsFunc(decide, func(res Result) bool { return res.Shown })
}

// Impossible says that some check will never have a verdict.
func (r Report) Impossible() bool {
	return slices.ContainsFunc(r.deciding(), func(res Result) bool { return res.Impossible })
}

// Refused says that somebody who was asked refuses the worker, so that looking again does not help.
func (r Report) Refused() bool {
	return slices.ContainsFunc(r.deciding(), func(res Result) bool { return res.Refused })
}

// Mute says that there are checks beside those that are always on, and that none of those that read
// the source had anything to judge by: it answers nothing usable. A probe that passes says nothing
// of that. Where none reads it, it is about all.
func (r Report) Mute() bool {
	checks := slices.DeleteFunc(r.deciding(), func(res Result) bool { return res.Check == spec.CheckAlive || res.Check == spec.CheckTraffic })
	if reading := slices.DeleteFunc(slices.Clone(checks), func(res Result) bool { return res.External }); len(reading) > 0 {
		checks = reading
	}
	return len(checks) > 0 && !slices.ContainsFunc(checks, func(res Result) bool { return res.Verdict != NoData && res.Verdict != Stale })
}

// Standing is how a check does while a bake goes on. PASS is a gate's word: until then "ok so far"
// is all that can be said of a check that has found nothing.
type Standing string

// The standings of a check that has not failed and has data to judge by.
const (
	OKSoFar Standing = "ok so far"
	// Suspicious says that the evidence of harm has passed the point that Result.Suspicion names,
	// and does not suffice for FAIL yet.
	Suspicious Standing = "suspicious"
	// NotYet says that there is too little to judge by so far, or nothing at the first look; the
	// verdict stands beside.
	NotYet Standing = "not yet"
)

// MidBake is the report of a look while the bake goes on: no result has the verdict PASS, and those
// that have found nothing, or not enough, have a standing. The first look of a watch may come
// before a source has anything.
func (r Report) MidBake(first bool) Report {
	r.Results = slices.Clone(r.Results)
	for i := range r.Results {
		res := &r.Results[i]
		switch {
		case res.Verdict == Fail:
		case res.Pending || res.Suspicion != "":
			res.Standing = Suspicious
		case res.Verdict == Pass:
			res.Standing = OKSoFar
		case res.Verdict == Unexercised, first && (res.Verdict == NoData || res.Verdict == Stale):
			res.Standing = NotYet
		}
		if res.Verdict == Pass {
			res.Verdict = ""
		}
	}
	return r
}

// Clear says that nothing keeps a report from being PASS at a gate: some check decides, and all
// that do are PASS or, in the middle of a bake, have no verdict but a standing.
func (r Report) Clear() bool {
	decide := r.deciding()
	return len(decide) > 0 && !slices.ContainsFunc(decide, func(res Result) bool {
		return res.Verdict != Pass && (res.Verdict != "" || res.Standing == "")
	})
}

// Words is the report for people, a line for each check.
func (r Report) Words() []string {
	var out []string
	for _, res := range r.Results {
		out = append(out, res.Name()+" "+res.Word()+": "+strings.TrimPrefix(res.Sentence, res.Check+": "))
	}
	return out
}

// Word is what is shown of a result: its verdict, or its standing with the number that raises
// suspicion, as in "suspicious (p 0.03)".
func (r Result) Word() string {
	switch {
	case r.Standing == Suspicious && r.Suspicion != "":
		return string(Suspicious) + " (" + r.Suspicion + ")"
	case r.Standing != "":
		return string(r.Standing)
	}
	return string(r.Verdict)
}
