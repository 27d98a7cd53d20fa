package rollout

import (
	"fmt"
	"strings"
	"unicode"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/health"
)

// attributes are what the search attributes of a rollout say.
type attributes struct{ stage, phase, outcome string }

// enter notes what the rollout does now, where people look for it.
func (r *rollout) enter(p Phase, why string) {
	if p != r.state.Phase {
		workflow.GetMetricsHandler(r.base).WithTags(map[string]string{"phase": string(p)}).Counter("sluice_rollout_phases").Inc(1)
	}
	r.state.Phase, r.state.Why = p, why
	r.index()
	r.publish()
	r.announce(p, why)
}

// index updates the search attributes, on changes that are worth an event: a
// new stage, waiting for a person, going back, the end.
func (r *rollout) index() {
	now := attributes{phase: "running"}
	if len(r.state.Stages) > 0 {
		now.stage = r.state.Stages[r.state.Stage].Name
	}
	switch r.state.Phase {
	case PhaseApproval, PhaseHold, PhaseRollback, PhaseLocked:
		now.phase = string(r.state.Phase)
	case PhaseVerify:
		now.phase = string(PhaseRollback)
	}
	if o := r.state.Outcome; o != nil {
		now.outcome = string(o.Result)
		if r.ended {
			now.phase = now.outcome
		}
	}
	if now == r.shown {
		return
	}
	updates := []temporal.SearchAttributeUpdate{connect.AttrPhase.ValueSet(now.phase)}
	if now.stage != r.shown.stage {
		updates = append(updates, connect.AttrStage.ValueSet(now.stage))
	}
	if now.outcome != "" {
		updates = append(updates, connect.AttrOutcome.ValueSet(now.outcome))
	}
	r.shown = now
	if err := workflow.UpsertTypedSearchAttributes(r.base, updates...); err != nil {
		workflow.GetLogger(r.base).Warn("search attributes were not updated", "error", err)
	}
}

// publish puts the state into the workflow's details in the Web UI.
func (r *rollout) publish() {
	workflow.SetCurrentDetails(r.base, details(r.state))
}

// page is a text under way. It formats with Sprintf, since workflow code must not
// write to what may be any writer.
type page struct{ strings.Builder }

func (p *page) addf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.WriteString(text)
}

// maxDetails is what Temporal accepts as details.
const maxDetails = 20_000

// details words a state in Markdown.
func details(s State) string {
	var b page
	b.addf("**%s** of `%s` %s\n\n%s\n\n", s.Phase, Markdown(s.Unit), Markdown(s.Release), Markdown(s.Why))
	if s.Paused != nil {
		b.addf("**Paused** by %s %s\n\n", Markdown(s.Paused.By), Markdown(s.Paused.Why))
	}
	b.addf("Exposed: %d of %d targets\n\n| stage | targets | bake | state |\n| --- | ---: | --- | --- |\n", s.Exposed, s.Targets)
	for i, st := range s.Stages {
		b.addf("| %s | %d → %d | %s | %s |\n", Markdown(st.Name), st.Cohort, st.Reach, st.Bake, stageWord(s, i))
	}
	if g := lastGate(s); g != nil {
		b.addf("\n**Last gate: %s** at %s\n\n", g.Decision, g.At.UTC().Format("15:04:05 MST"))
		writeReport(&b, g.Report)
	}
	if o := s.Outcome; o != nil && len(o.NotReverted) > 0 {
		b.addf("\n**Not reverted: %d targets**\n\n", max(o.NotBack, len(o.NotReverted)))
		for _, t := range o.NotReverted[:min(len(o.NotReverted), 50)] {
			b.addf("- %s: %s\n", Markdown(t.ID), Markdown(t.Reason))
		}
	}
	text := b.String()
	if len(text) > maxDetails {
		text = strings.ToValidUTF8(text[:maxDetails-4], "") + "…"
	}
	return text
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

// lastGate is the newest decision of a rollout; nil before the first.
func lastGate(s State) *Gate {
	for i := len(s.Stages) - 1; i >= 0; i-- {
		if n := len(s.Stages[i].Gates); n > 0 {
			return &s.Stages[i].Gates[n-1]
		}
	}
	return nil
}

func writeReport(b *page, r health.Report) {
	b.WriteString("| check | verdict | evidence |\n| --- | --- | --- |\n")
	for _, res := range r.Results {
		b.addf("| %s | %s | %s |\n", Markdown(res.Name()), res.Verdict, Markdown(res.Sentence))
	}
}

// Markdown keeps a value from being read as markup or as a line of its own.
func Markdown(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	return strings.NewReplacer(
		"\\", "\\\\", "&", "&amp;", "<", "&lt;", "`", "'", "|", "\\|", "[", "\\[", "]", "\\]", "*", "\\*", "_", "\\_", "~", "\\~", "#", "\\#",
	).Replace(s)
}
