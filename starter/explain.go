package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/terminal"
)

func explainCommand() command {
	return command{
		name: "explain", arg: "UNIT[:NUMBER]",
		short: "tell why a rollout was promoted, held or rolled back",
		long: `Tells what every gate decided and on what evidence, who sent which signal, and what
became of every target that was touched. It draws both arms of each comparison. A
rollout that has ended needs no worker for this.`,
		example: "sluice explain edge-proxy --queries",
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "queries", DisableDefaultText: true, Usage: "show the resolved query of every check"},
			runIDFlag(),
		},
		remote: true,
		run: func(ctx context.Context, con *console, c *cli.Context) error {
			return lookOnce(ctx, con, c, func(v view) []string {
				return explanation(v, c.Bool("queries"), con.now(), con.width(), con.paint)
			})
		},
	}
}

// explanation tells a rollout's story with the evidence of every decision. What it draws is at most
// width cells wide; 0 is no limit.
func explanation(v view, queries bool, now time.Time, width int, p paint) []string {
	e := explainer{now: now, queries: queries, width: width, p: p}
	e.add("%s", p.bold(terminal.Safe(v.Unit+" "+v.what()))+": "+e.headline(v))
	e.lines = append(e.lines, warnings(v, p)...)
	if v.URL != "" {
		e.add("%s", p.faint(terminal.Safe(v.URL)))
	}
	if s := v.State; s != nil {
		e.facts(*s)
		e.preflight(*s)
		for i := range s.Stages {
			if s.Undoes == "" {
				e.stage(v, i)
			}
		}
		e.controls(*s)
		e.lines = append(e.lines, troubleLines("not back yet", s.NotReverted, s.NotBack, len(s.NotReverted), e.p.red)...)
		e.outcome(*s)
		if next := afterwards(v); next != "" {
			e.add("  %s", e.p.bold(next))
		}
	}
	return e.lines
}

// explainer collects lines.
type explainer struct {
	now     time.Time
	queries bool
	width   int
	p       paint
	lines   []string
}

func (e *explainer) add(format string, args ...any) {
	e.lines = append(e.lines, fmt.Sprintf(format, args...))
}

// headline is the answer in one line: what happened, and why.
func (e *explainer) headline(v view) string {
	phase := e.p.phase(phaseWord(v))
	o := v.outcome()
	switch {
	case o != nil && o.Stage != "" && o.Result != rollout.PhasePromoted && v.State.Begun():
		return phase + " at stage " + terminal.Safe(o.Stage) + ", because: " + terminal.Safe(o.Why)
	case o != nil:
		return phase + ", because: " + terminal.Safe(o.Why)
	case v.State != nil:
		return phase + ": " + terminal.Safe(v.State.Why)
	}
	return phase
}

func (e *explainer) facts(s rollout.State) {
	e.add("started %s by %s", stamp(s.StartedAt, e.now), terminal.Safe(s.By))
	if s.TakenOver != "" {
		e.add("took over: %s", terminal.Safe(s.TakenOver))
	}
	if o := s.Outcome; o != nil {
		e.add("ended   %s, after %s", stamp(o.EndedAt, e.now), span(o.EndedAt.Sub(s.StartedAt)))
	}
	e.add("exposed %d of %s (%s), fence %d, plan %s",
		s.Exposed, plural(s.Targets, "target"), share(s.Exposed, s.Targets), s.Fence, terminal.Safe(orDash(s.Plan)))
}

// preflight tells what was found before the first stage.
func (e *explainer) preflight(s rollout.State) {
	if s.Preflight == nil {
		return
	}
	e.add("")
	e.add("%s", e.p.bold("before the change"))
	e.gate(*s.Preflight, rollout.StageState{})
}

// stage tells one stage; those that have not begun are one line.
func (e *explainer) stage(v view, i int) {
	s, st := *v.State, v.State.Stages[i]
	e.add("")
	title := e.p.bold(terminal.Safe(st.Name)) + fmt.Sprintf(": %s, %d of %d after it (%s), bake %s",
		plural(st.Cohort, "target"), st.Reach, s.Targets, share(st.Reach, s.Targets), st.Bake)
	if st.StartedAt.IsZero() {
		word := "has not begun"
		if s.Outcome != nil {
			word = "never began"
		}
		e.add("%s – %s", title, word)
		e.approval(st)
		return
	}
	e.add("%s", title)
	e.approval(st)
	e.add("  %s began", clock(st.StartedAt, e.now))
	if !st.AppliedAt.IsZero() {
		e.add("  %s %s: %d changed, %d already on it", clock(st.AppliedAt, e.now), appliedIn(st), st.Changed, st.Already)
	}
	for _, g := range st.Gates {
		e.gate(g, st)
	}
	if st.Watched > 0 && st.DoneAt.IsZero() {
		e.add("  watched for %s so far", st.Watched)
	}
	if i == s.Stage && v.Live != nil {
		e.add("  %s the watch sees", clock(v.Live.At, e.now))
		e.report(*v.Live, st)
	}
	if !st.DoneAt.IsZero() {
		e.add("  %s passed, after %s: %s", clock(st.DoneAt, e.now), span(st.DoneAt.Sub(st.StartedAt)), reached(st, s.Targets))
	}
}

// appliedIn words how long applying took, and what came before it.
func appliedIn(st rollout.StageState) string {
	if st.MeasuredAt.IsZero() { // a run of v0.1.0
		return "measured and applied in " + span(st.AppliedAt.Sub(st.StartedAt))
	}
	return fmt.Sprintf("applied in %s, after %s of measuring", span(st.AppliedAt.Sub(st.MeasuredAt)), span(st.MeasuredAt.Sub(st.StartedAt)))
}

func (e *explainer) approval(st rollout.StageState) {
	switch {
	case st.ApprovedBy != nil:
		e.add("  %s approved by %s", clock(st.ApprovedBy.At, e.now), whoAndWhy(*st.ApprovedBy))
	case st.Approval != "":
		e.add("  needs approval")
	}
}

func (e *explainer) gate(g rollout.Gate, st rollout.StageState) {
	decision := terminal.Safe(string(g.Decision))
	switch g.Decision {
	case rollout.Promote:
		decision = e.p.green(decision)
	case rollout.RollBack, rollout.Refuse:
		decision = e.p.red(decision)
	case rollout.Hold:
		decision = e.p.yellow(decision)
	}
	e.add("  %s gate: %s, %s", clock(g.At, e.now), decision, terminal.Safe(g.Why))
	if g.Override != nil {
		e.add("    %s", e.p.yellow("decided by "+whoAndWhy(*g.Override)+" and not by the evidence"))
	}
	e.report(g.Report, st)
}

// report tells every check of a report of a stage; the zero stage is none.
func (e *explainer) report(r health.Report, st rollout.StageState) {
	for _, c := range r.Clocks {
		apart := source.Apart(time.Duration(c.AheadSeconds * float64(time.Second)))
		e.add("    %s", e.p.yellow(fmt.Sprintf("the clock of %s is %s the Temporal server's", terminal.Safe(c.Of), apart)))
	}
	for i, line := range checkLines(r, e.p) {
		e.add("    %s", line)
		const indent = "        "
		e.lines = append(e.lines, indented(indent, sparklines(r.Results[i], sinceApplied(st, r.At), room(e.width, indent), e.p))...)
		for _, w := range r.Results[i].Warnings {
			e.add("        warning: %s", e.p.yellow(terminal.Safe(w)))
		}
		if !e.queries {
			continue
		}
		for _, q := range r.Results[i].Queries {
			e.add("        query: %s", e.p.faint(terminal.Safe(q)))
		}
	}
}

func (e *explainer) controls(s rollout.State) {
	if len(s.Controls) == 0 {
		return
	}
	e.add("")
	e.add("%s", e.p.bold("who stepped in"))
	for _, c := range s.Controls {
		e.add("  %s %s", clock(c.At, e.now), terminal.Safe(controlText(c)))
	}
}

// outcome tells what became of the targets.
func (e *explainer) outcome(s rollout.State) {
	o := s.Outcome
	if o == nil {
		return
	}
	e.add("")
	e.add("%s", e.p.bold("the end"))
	for _, l := range outcomeLines(*o, max(len(o.NotReverted), len(o.Troubled)), e.p) {
		e.add("  %s", l)
	}
	e.lines = append(e.lines, troubleLines("left out", o.Unreached, o.LeftOut, len(o.Unreached), e.p.yellow)...)
	if o.Recovery != nil {
		e.add("  after the rollback, at %s", clock(o.Recovery.At, e.now))
		e.report(*o.Recovery, rollout.StageState{})
	}
}
