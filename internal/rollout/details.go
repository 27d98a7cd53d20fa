package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/health"
)

// page is a text under way. It formats with Sprintf, since workflow code must not write to what may
// be any writer.
type page struct{ strings.Builder }

func (p *page) addf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.WriteString(text)
}

// maxDetails is what Temporal accepts as details.
const maxDetails = 20_000

// Details words a state in Markdown, for the Web UI: what matters in an incident first. Times are
// in full, since nothing draws them anew while they pass.
func Details(s State) string {
	var b page
	b.addf("**%s** of %s %s%s\n\n%s\n\n", s.headline(), Markdown(s.Unit), Markdown(s.Release), sinceAndUntil(s), Markdown(s.Why))
	if s.TakenOver != "" {
		b.addf("Took over: %s\n\n", Markdown(s.TakenOver))
	}
	if s.Outcome != nil && s.Outcome.BackWord() != "" {
		b.addf("Of %s touched, %s\n\n", counted(s.Outcome.Touched), Markdown(s.Outcome.BackWord()))
	}
	if s.Outcome != nil && s.Outcome.Recovered != "" {
		b.addf("%s\n\n", Markdown(s.Outcome.RecoveredWord()))
	}
	if p := s.Paused; p != nil && s.Outcome == nil {
		b.addf("**Paused** by %s since %s: %s%s\n\n", Markdown(p.By), moment(p.At), Markdown(cmp.Or(p.Why, "no reason given")),
			orBack(p.Until, "resumed"))
	}
	if a := s.Aborted; a != nil && s.Outcome == nil {
		b.addf("**Aborted** by %s at %s: %s\n\n", Markdown(a.By), moment(a.At), Markdown(cmp.Or(a.Why, "no reason given")))
	}
	if i := s.Awaited(); i >= 0 {
		b.addf("**Waits** for the approval of %s%s\n\n", Markdown(s.Stages[i].Name), orBack(s.Stages[i].ApproveBy, "approved"))
	}
	writeNext(&b, s)
	b.addf("Exposed: %d of %d targets\n\n", s.Exposed, s.Targets)
	if judged(s) {
		b.addf("How the checks stand now: *Pending Activities*, the heartbeat details of the watch, or sluice watch %s\n\n", Markdown(s.Unit))
	}
	left, n := s.Left()
	word := "Not reverted"
	if s.Outcome == nil {
		word = "Not back yet"
	}
	writeNamed(&b, s, word, left, n)
	writeNamed(&b, s, "Left out", s.Unreached, s.LeftOut)
	if o := s.Outcome; o != nil {
		writeNamed(&b, s, o.TroubledWord(), o.Troubled, len(o.Troubled))
	}
	writeSignals(&b, s)
	if st, g := lastGate(s); g != nil {
		b.addf("\n**Gate of %s: %s** at %s\n\n", Markdown(st.Name), g.Decision, moment(g.At))
		writeReport(&b, g.Report)
	}
	if s.Undoes == "" {
		writeStages(&b, s)
	}
	return Clip(b.String(), maxDetails-len("…"))
}

// orBack says until when a person may still act; empty where that has no end.
func orBack(by time.Time, acted string) string {
	if by.IsZero() {
		return ""
	}
	return "; rolls back at " + moment(by) + " unless " + acted
}

// writeStages is the table of stages. Of many, those far from the current one are counted.
func writeStages(b *page, s State) {
	from, to := s.Shown()
	b.WriteString("\n| stage | targets | bake | state |\n| --- | ---: | --- | --- |\n")
	row := func(i, last int) {
		b.addf("| %d stages, %s to %s | → %d | | |\n",
			last-i, Markdown(s.Stages[i].Name), Markdown(s.Stages[last-1].Name), s.Stages[last-1].Reach)
	}
	if from > 0 {
		row(0, from)
	}
	for i, st := range s.Stages[from:to] {
		b.addf("| %s | %d → %d | %s | %s |\n", Markdown(st.Name), st.Cohort, st.Reach, st.Bake, stageWord(s, from+i))
	}
	if to < len(s.Stages) {
		row(to, len(s.Stages))
	}
}

// moment words a time for people in any zone; a dash stands for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05 MST")
}

// judged says that a stage is on the release and watched.
func judged(s State) bool {
	return s.Outcome == nil && !s.Phase.GoesBack() && s.Stage < len(s.Stages) && !s.Stages[s.Stage].AppliedAt.IsZero() &&
		s.Stages[s.Stage].DoneAt.IsZero()
}

// sinceAndUntil says since when the rollout does what it does, and until when.
func sinceAndUntil(s State) string {
	var text string
	if !s.Since.IsZero() {
		text = " since " + moment(s.Since)
	}
	if !judged(s) {
		return text
	}
	if ends := s.Stages[s.Stage].BakeEnds; !ends.IsZero() && (s.Phase == PhaseBake || s.Phase == PhaseHold) {
		text += ", until " + moment(ends)
	}
	return text
}

// writeNext says which signal is the next to send, with its payload.
func writeNext(b *page, s State) {
	signed := `"by": "your name", "why": "your reason"`
	payload := signed
	var next string
	_, left := s.Left()
	switch i := s.Awaited(); {
	case i >= 0:
		next, payload = "`"+SignalApprove+"`, to approve "+Markdown(s.Stages[i].Name), `"stage": "`+s.Stages[i].Name+`", `+signed
	case s.waitsForPerson():
		next = "`" + SignalRetry + "`, to have the targets tried again, or `" + SignalGiveUp + "`, to end it as it is"
	case s.GoingBack() && !s.ended() && left > 0:
		next = "none is needed; `" + SignalGiveUp + "`, to end it as it is"
	case s.GoingBack():
		return
	case s.Paused != nil:
		next = "`" + SignalResume + "`, to go on"
	case s.Phase == PhaseHold:
		next, payload = "`"+SignalPromote+"`, to pass this gate in your name", `"stage": "`+s.StageName()+`", `+signed
	default:
		next = "`" + SignalAbort + "`, to roll it back"
	}
	b.addf("**Next signal**: %s, with\n\n```\n{%s}\n```\n\n", next, payload)
	var others []string
	for _, name := range s.taken() {
		if name = "`" + name + "`"; !strings.Contains(next, name) {
			others = append(others, name)
		}
	}
	if len(others) > 0 {
		b.addf("Also taken now, with `by` and `why`: %s\n\n", strings.Join(others, ", "))
	}
}

// taken names the signals that would have an effect now, from somebody with a name and a reason.
func (s State) taken() []string {
	var out []string
	for _, sig := range Signals() {
		req := sig.Aimed(s, ControlRequest{By: "somebody", Why: "a reason"})
		if sig.Refusal(s, Control{By: req.By, Why: req.Why, Stage: req.Stage}) == "" {
			out = append(out, sig.Name)
		}
	}
	return out
}

// writeNamed names some of n targets, each with its reason.
func writeNamed(b *page, s State, word string, ts []TargetTrouble, n int) {
	const most = 50
	if n = max(n, len(ts)); n == 0 {
		return
	}
	b.addf("\n**%s: %d of the targets**\n\n", word, n)
	for _, t := range ts[:min(len(ts), most)] {
		b.addf("- %s: %s\n", Markdown(t.ID), Markdown(t.Reason))
	}
	if n > min(len(ts), most) {
		b.addf("- and %d more: sluice explain %s\n", n-min(len(ts), most), Markdown(s.Unit))
	}
}

// writeSignals shows the newest signals, and what came of each.
func writeSignals(b *page, s State) {
	const most = 5
	cs := s.Controls[max(0, len(s.Controls)-most):]
	if len(cs) == 0 {
		return
	}
	b.WriteString("\n| signal | at | by | why | effect |\n| --- | --- | --- | --- | --- |\n")
	for _, c := range slices.Backward(cs) {
		effect := "taken"
		if c.Refused != "" {
			effect = "**none**: " + Markdown(c.Refused)
		}
		b.addf("| %s | %s | %s | %s | %s |\n",
			Markdown(strings.TrimSpace(c.Signal+" "+c.Stage)), moment(c.At), Markdown(c.By), Markdown(Clip(c.Why, 200)), effect)
	}
}

func stageWord(s State, i int) string {
	st := s.Stages[i]
	switch {
	case !st.DoneAt.IsZero():
		return "passed"
	case s.Awaited() >= 0 && i == s.Stage && !st.AppliedAt.IsZero():
		return "passed its gate; still watched"
	case i == s.Awaited():
		return "waits for approval"
	case s.Paused != nil && i == s.Stage && !st.AppliedAt.IsZero() && s.Outcome == nil:
		return s.headline() + "; " + st.WatchedWord()
	case i < s.Stage || i == s.Stage && !st.StartedAt.IsZero():
		return string(s.Phase)
	case s.GoingBack():
		return "not begun"
	case st.ApprovedBy != nil:
		return "approved by " + Markdown(st.ApprovedBy.By)
	case st.Approval != "":
		return "needs approval"
	}
	return "waiting"
}

// lastGate is the newest decision of a rollout with its stage; nil before the first.
func lastGate(s State) (StageState, *Gate) {
	for _, st := range slices.Backward(s.Stages) {
		if n := len(st.Gates); n > 0 {
			return st, &st.Gates[n-1]
		}
	}
	return StageState{}, nil
}

func writeReport(b *page, r health.Report) {
	b.WriteString("| check | verdict | evidence |\n| --- | --- | --- |\n")
	for _, res := range r.Results {
		b.addf("| %s | %s | %s |\n", Markdown(res.Name()), Markdown(res.Word()), Markdown(res.Sentence))
	}
}

// headline is the phase, and first of all that a person has paused it.
func (s State) headline() string {
	if s.Paused != nil && s.Outcome == nil {
		return "paused, " + string(s.Phase)
	}
	return string(s.Phase)
}
