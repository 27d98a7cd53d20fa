package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/health"
)

// page is a text under way. It formats with Sprintf, since workflow code must not
// write to what may be any writer.
type page struct{ strings.Builder }

func (p *page) addf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.WriteString(text)
}

// maxDetails is what Temporal accepts as details.
const maxDetails = 20_000

// Details words a state in Markdown, for the Web UI.
func Details(s State) string {
	var b page
	b.addf("**%s** of %s %s\n\n%s\n\n", s.Phase, Markdown(s.Unit), Markdown(s.Release), Markdown(s.Why))
	if s.TakenOver != "" {
		b.addf("Took over: %s\n\n", Markdown(s.TakenOver))
	}
	if s.Paused != nil {
		b.addf("**Paused** by %s %s\n\n", Markdown(s.Paused.By), Markdown(s.Paused.Why))
	}
	b.addf("Exposed: %d of %d targets\n\n| stage | targets | bake | state |\n| --- | ---: | --- | --- |\n", s.Exposed, s.Targets)
	for i, st := range s.Stages {
		b.addf("| %s | %d → %d | %s | %s |\n", Markdown(st.Name), st.Cohort, st.Reach, st.Bake, stageWord(s, i))
	}
	if s.Phase == PhaseBake || s.Phase == PhaseHold {
		b.addf("\nHow the checks stand now: Pending Activities, or sluice watch %s\n", Markdown(s.Unit))
	}
	if st, g := lastGate(s); g != nil {
		b.addf("\n**Gate of %s: %s** at %s\n\n", Markdown(st.Name), g.Decision, g.At.UTC().Format("15:04:05 MST"))
		writeReport(&b, g.Report)
	}
	if left, n := s.Left(); len(left) > 0 {
		b.addf("\n**Not reverted: %d targets**\n\n", max(n, len(left)))
		for _, t := range left[:min(len(left), 50)] {
			b.addf("- %s: %s\n", Markdown(t.ID), Markdown(t.Reason))
		}
	}
	return Clip(b.String(), maxDetails-len("…"))
}

func stageWord(s State, i int) string {
	st := s.Stages[i]
	switch {
	case !st.DoneAt.IsZero():
		return "passed"
	case i < s.Stage || i == s.Stage && !st.StartedAt.IsZero():
		return string(s.Phase)
	case st.Approval != "" && st.ApprovedBy == nil:
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
