package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/terminal"
)

// event is one change of a rollout, as a line of text or of JSON.
type event struct {
	At time.Time `json:"at"`
	// Kind is phase, stage, gate, verdict, control, trouble or end.
	Kind  string `json:"event"`
	Stage string `json:"stage,omitempty"`
	// Check is set on a verdict, with Verdict, or with Standing in the middle of a bake. Advisory
	// is set on one that decides nothing, and Decision on a gate.
	Check    string           `json:"check,omitempty"`
	Verdict  health.Verdict   `json:"verdict,omitempty"`
	Standing health.Standing  `json:"standing,omitempty"`
	Advisory bool             `json:"advisory,omitempty"`
	Decision rollout.Decision `json:"decision,omitempty"`
	Text     string           `json:"text"`
	// Code and Rollout are set on the end.
	Code    *int  `json:"code,omitempty"`
	Rollout *view `json:"rollout,omitempty"`
}

// line words an event for a person.
func (e event) line(now time.Time) string {
	return clock(e.At, now) + " " + terminal.Safe(e.Text)
}

// changes are what happened between two views of a rollout; before is zero at first. What has no
// time of its own happened now.
func changes(before, after view, now time.Time) []event {
	out := append(troubleChange(before, after, now), retryChanges(before, after, now)...)
	if after.State == nil {
		return append(out, endChange(after, now)...)
	}
	old := rollout.State{}
	if before.State != nil {
		old = *before.State
	}
	dated := controlChanges(old, *after.State)
	dated = append(dated, verdictChanges(before, after)...)
	dated = append(dated, stageChanges(old, *after.State)...)
	slices.SortStableFunc(dated, func(a, b event) int { return a.At.Compare(b.At) })
	out = append(out, dated...)
	if s := after.State; s.Outcome == nil && (s.Phase != old.Phase || s.Why != old.Why) {
		out = append(out, event{At: now, Kind: "phase", Stage: s.StageName(), Text: string(s.Phase) + ": " + s.Why})
	}
	return append(out, endChange(after, now)...)
}

func troubleChange(before, after view, now time.Time) []event {
	switch after.Trouble {
	case before.Trouble:
		return nil
	case "":
		return []event{{At: now, Kind: "trouble", Text: "answers again"}}
	}
	return []event{{At: now, Kind: "trouble", Text: after.Trouble}}
}

func controlChanges(old, s rollout.State) []event {
	var out []event
	for _, c := range s.Controls {
		known := func(o rollout.Control) bool { return o.At.Equal(c.At) && controlText(o) == controlText(c) }
		if !slices.ContainsFunc(old.Controls, known) {
			out = append(out, event{At: c.At, Kind: "control", Stage: c.Stage, Text: controlText(c)})
		}
	}
	return out
}

// controlText words a signal and what came of it.
func controlText(c rollout.Control) string {
	text := c.Signal + " by " + c.By
	if c.Stage != "" {
		text += " for " + c.Stage
	}
	if c.Override {
		text += " with --override"
	}
	if c.Why != "" {
		text += ": " + c.Why
	}
	if c.Refused != "" {
		text += " (had no effect: " + c.Refused + ")"
	}
	return text
}

// verdictChanges are the checks whose verdict or standing changed, by newer evidence. A check that
// was "ok so far" and passes its gate is no change: the gate's own line tells.
func verdictChanges(before, after view) []event {
	r, s := after.report(), after.State
	if r == nil || len(s.Stages) == 0 {
		return nil
	}
	known := map[string]string{}
	if old := before.report(); old != nil && before.State != nil && before.State.Stage == s.Stage {
		if !r.At.After(old.At) {
			return nil
		}
		for _, res := range old.Results {
			known[res.Check] = finding(res)
		}
	}
	var out []event
	stage := s.StageName()
	for _, res := range r.Results {
		if known[res.Check] == finding(res) {
			continue
		}
		out = append(out, event{
			At: r.At, Kind: "verdict", Stage: stage, Check: res.Check, Verdict: res.Verdict, Standing: res.Standing, Advisory: res.Advisory,
			Text: fmt.Sprintf("%s: %s %s: %s", stage, res.Name(), res.Word(), sentence(res)),
		})
	}
	return out
}

// finding is what a result has found, without numbers.
func finding(r health.Result) string {
	if r.Verdict == health.Pass {
		return string(health.OKSoFar)
	}
	return cmp.Or(string(r.Standing), string(r.Verdict))
}

// stageChanges are new gates, and stages that passed.
func stageChanges(old, s rollout.State) []event {
	var out []event
	for i, st := range s.Stages {
		var was rollout.StageState
		if i < len(old.Stages) {
			was = old.Stages[i]
		}
		var last time.Time
		if n := len(was.Gates); n > 0 {
			last = was.Gates[n-1].At
		}
		for _, g := range st.Gates {
			if g.At.After(last) {
				out = append(out, event{At: g.At, Kind: "gate", Stage: st.Name, Decision: g.Decision, Text: "gate of " + st.Name + ": " + gateText(g)})
			}
		}
		if !st.DoneAt.IsZero() && was.DoneAt.IsZero() {
			out = append(out, event{At: st.DoneAt, Kind: "stage", Stage: st.Name, Text: "stage " + st.Name + " passed: " + reached(st, s.Targets)})
		}
	}
	return out
}

// reached words how far a rollout had come when a stage had passed.
func reached(st rollout.StageState, of int) string {
	n := st.Reached
	if n == 0 && st.LeftOut == 0 { // a worker that did not count yet
		n = st.Reach
	}
	text := fmt.Sprintf("%d of %s reached (%s)", n, plural(of, "target"), share(n, of))
	if st.LeftOut > 0 {
		text += fmt.Sprintf(", %d left out", st.LeftOut)
	}
	return text
}

func gateText(g rollout.Gate) string {
	text := string(g.Decision) + ", " + g.Why
	if g.Override != nil {
		text += " (decided by " + g.Override.By + ": " + g.Override.Why + ")"
	}
	return text
}

func endChange(v view, now time.Time) []event {
	if !v.atRest() || v.Status == "" {
		return nil
	}
	code := v.exitCode()
	e := event{At: now, Kind: "end", Code: &code, Rollout: &v, Text: "ended: " + v.Status}
	if v.Trouble != "" {
		e.Text += ": " + v.Trouble
	}
	if o := v.outcome(); o != nil {
		e.At, e.Stage, e.Text = o.EndedAt, o.Stage, outcomeText(*o)
	}
	if next := afterwards(v); next != "" {
		e.Text += ". " + next
	}
	return []event{e}
}

// outcomeText words an outcome in one line.
func outcomeText(o rollout.Outcome) string {
	text := o.Why
	if !strings.HasPrefix(o.Why, string(o.Result)+" ") { // aborted by …
		text = string(o.Result) + ": " + o.Why
	}
	if o.Result != rollout.PhasePromoted && o.Touched > 0 {
		text += "; " + touchedLine(o)
	}
	if n := max(o.NotBack, len(o.NotReverted)); n > 0 {
		text += fmt.Sprintf(", NOT reverted %d: %s", n, reasonsShortly(o.NotReverted, n))
	}
	if n := len(o.Troubled); n > 0 && o.Result == rollout.PhasePromoted { // the others stand in Why
		text += "; " + o.TroubledWord() + ": " + reasonsShortly(o.Troubled, n)
	}
	if n := max(o.LeftOut, len(o.Unreached)); n > 0 {
		text += "; left out: " + namedShortly(o.Unreached, n)
	}
	if w := o.RecoveredWord(); w != "" {
		text += "; " + w
	}
	return text
}

// namedShortly names the first of n targets.
func namedShortly(ts []rollout.TargetTrouble, n int) string {
	return firstOf(ts, n, 5, func(t rollout.TargetTrouble) string { return t.ID })
}

// reasonsShortly names the first of n targets, each with its reason.
func reasonsShortly(ts []rollout.TargetTrouble, n int) string {
	return firstOf(ts, n, 3, func(t rollout.TargetTrouble) string {
		if t.Reason == "" {
			return t.ID
		}
		return t.ID + " (" + rollout.Clip(t.Reason, 300) + ")"
	})
}

func firstOf(ts []rollout.TargetTrouble, n, few int, word func(rollout.TargetTrouble) string) string {
	var words []string
	for _, t := range ts[:min(len(ts), few)] {
		words = append(words, word(t))
	}
	text := strings.Join(words, ", ")
	if more := n - len(words); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
