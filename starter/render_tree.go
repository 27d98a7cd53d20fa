package main

import (
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/terminal"
)

// tree draws a rollout: what was planned against what happened, stage by stage. Its lines may be
// longer than a terminal is wide, which has so many cells, or 0; what is drawn is not.
func tree(v view, now time.Time, width int, p paint) []string {
	lines := header(v, now, p)
	if s := v.State; s != nil {
		lines = append(lines, exposure(*s))
		lines = append(lines, troubleLines("left out", s.Unreached, s.LeftOut, maxTroubles, p.yellow)...)
		if s.Undoes == "" {
			lines = append(lines, stageLines(v, now, width, p)...)
		}
		lines = append(lines, troubleLines("not back yet", s.NotReverted, s.NotBack, maxTroubles, p.red)...)
		if s.Outcome != nil {
			lines = append(lines, outcomeLines(*s.Outcome, maxTroubles, p)...)
			if next := afterwards(v); next != "" {
				lines = append(lines, p.bold(next))
			}
		}
	}
	if v.URL != "" {
		lines = append(lines, p.faint(terminal.Safe(v.URL)))
	}
	return lines
}

// maxTroubles is how many targets a tree names; explain names all.
const maxTroubles = 10

// header says which rollout it is, what it does and why it waits.
func header(v view, now time.Time, p paint) []string {
	first := p.bold(terminal.Safe(v.Unit+" "+v.what())) + " · " + p.phase(phaseWord(v)) + atStage(v) + " · " + age(v, now)
	if v.By != "" {
		first += " by " + terminal.Safe(v.By)
	}
	lines := []string{first}
	if v.State != nil && v.State.Why != "" && v.State.Outcome == nil {
		lines = append(lines, terminal.Safe(v.State.Why))
	}
	if v.State != nil && v.State.TakenOver != "" {
		lines = append(lines, "took over: "+terminal.Safe(v.State.TakenOver))
	}
	if c := v.paused(); c != nil {
		lines = append(lines, p.yellow("paused by "+whoAndWhy(*c)+", "+span(now.Sub(c.At))+" ago"))
	}
	return append(lines, warnings(v, p)...)
}

// warnings say why a view may be old, and what fails in the rollout again and again.
func warnings(v view, p paint) []string {
	var lines []string
	if v.Trouble != "" {
		trouble := v.Trouble
		if v.Remembered {
			trouble += "; below is what it said last"
		}
		lines = append(lines, p.yellow(terminal.Safe(trouble)))
	}
	for _, r := range v.Retrying {
		lines = append(lines, p.yellow(terminal.Safe(r.String())))
	}
	return lines
}

// atStage names the stage where no tree of stages follows.
func atStage(v view) string {
	if v.State != nil || v.Stage == "" || !v.running() {
		return ""
	}
	return " at stage " + terminal.Safe(v.Stage)
}

// phaseWord is the phase, or Temporal's status where there is none to trust.
func phaseWord(v view) string {
	if !v.running() && v.outcome() == nil || v.Phase == "" {
		return v.Status
	}
	return v.Phase
}

func age(v view, now time.Time) string {
	if v.ClosedAt.IsZero() {
		return "started " + span(now.Sub(v.StartedAt)) + " ago"
	}
	return "took " + span(v.ClosedAt.Sub(v.StartedAt)) + ", started"
}

// whoAndWhy words a signal.
func whoAndWhy(c rollout.Control) string {
	who := terminal.Safe(c.By)
	if who == "" {
		who = "somebody"
	}
	if c.Why == "" {
		return who
	}
	return who + " (" + terminal.Safe(c.Why) + ")"
}

const barWidth = 20

func exposure(s rollout.State) string {
	part := 0.0
	if s.Targets > 0 {
		part = float64(s.Exposed) / float64(s.Targets)
	}
	return fmt.Sprintf("%s %d of %s exposed (%s)", bar(part, barWidth), s.Exposed, plural(s.Targets, "target"), share(s.Exposed, s.Targets))
}

// stageLines are the branches, with the checks below the stage that is judged. Of many stages those
// far from it are counted.
func stageLines(v view, now time.Time, width int, p paint) []string {
	s := *v.State
	from, to := s.Shown()
	rows := make([][]string, 0, to-from)
	for i := from; i < to; i++ {
		st := s.Stages[i]
		branch := "├─ "
		if i == len(s.Stages)-1 {
			branch = "└─ "
		}
		rows = append(rows, []string{
			branch + stageMark(s, i, p) + " " + terminal.Safe(st.Name),
			fmt.Sprintf("+%d → %d (%s)", st.Cohort, st.Reach, share(st.Reach, s.Targets)),
			"bake " + st.Bake.String(),
			stageWord(s, i, now, p),
		})
	}
	var lines []string
	if from > 0 {
		lines = append(lines, "├─ "+stageMark(s, 0, p)+" "+manyStages(s, 0, from))
	}
	for n, line := range columns(rows) {
		lines = append(lines, line)
		if from+n == s.Stage {
			lines = append(lines, checksBelow(v, now, width, p)...)
		}
	}
	if to < len(s.Stages) {
		lines = append(lines, "└─ "+p.faint("○")+" "+manyStages(s, to, len(s.Stages)))
	}
	return lines
}

// manyStages counts stages that are not shown one by one, and what of them a person must know.
func manyStages(s rollout.State, from, to int) string {
	first, last := s.Stages[from], s.Stages[to-1]
	text := fmt.Sprintf("%s, %s … %s, → %d (%s)", plural(to-from, "stage"), terminal.Safe(first.Name), terminal.Safe(last.Name),
		last.Reach, share(last.Reach, s.Targets))
	asks, promoted := 0, 0
	for _, st := range s.Stages[from:to] {
		if st.Approval != "" && st.ApprovedBy == nil {
			asks++
		}
		if n := len(st.Gates); n > 0 && st.Gates[n-1].Override != nil {
			promoted++
		}
	}
	if asks > 0 {
		text += fmt.Sprintf(", %d of them need approval", asks)
	}
	if promoted > 0 {
		text += fmt.Sprintf(", %d of them promoted by a person", promoted)
	}
	return text
}

// checksBelow are the checks of the stage that is judged, as they stand below its branch.
func checksBelow(v view, now time.Time, width int, p paint) []string {
	s, r := *v.State, v.report()
	if r == nil {
		return nil
	}
	stem := "│    "
	if s.Stage == len(s.Stages)-1 {
		stem = "     "
	}
	var lines []string
	if word := oldWord(v, r.At, now); word != "" {
		lines = append(lines, stem+p.yellow(word))
	}
	for n, l := range checkLines(*r, p) {
		lines = append(lines, stem+l)
		if res := r.Results[n]; res.Verdict == health.Fail {
			lines = append(lines, indented(stem+"    ", sparklines(res, sinceApplied(s.Stages[s.Stage], r.At), room(width, stem+"    "), p))...)
		}
	}
	return lines
}

// oldWord says that what is shown below is not how things stand now; empty where it is.
func oldWord(v view, at, now time.Time) string {
	switch ago := span(now.Sub(at)) + " ago"; {
	case v.State.Outcome != nil:
	case v.State.Phase.GoesBack():
		return "as it was before the rollback, " + ago
	case v.report() != v.Live:
		return "as its gate saw it " + ago
	case isOld(*v.State, at, now):
		return "the newest look was " + ago
	}
	return ""
}

func stageMark(s rollout.State, i int, p paint) string {
	st := s.Stages[i]
	switch {
	case !st.DoneAt.IsZero() && !s.Phase.GoesBack():
		return p.green("✓")
	case i == s.Stage && s.Phase.GoesBack() && s.Begun():
		return p.red("✗")
	case !st.DoneAt.IsZero():
		return p.yellow("↩")
	case i == s.Stage && !st.StartedAt.IsZero():
		return p.cyan("●")
	}
	return p.faint("○")
}

// stageWord says what became of a stage, or what it does now.
func stageWord(s rollout.State, i int, now time.Time, p paint) string {
	st := s.Stages[i]
	switch {
	case i == s.Stage && s.Phase.GoesBack() && s.Begun():
		return p.phase(string(s.Phase))
	case !st.DoneAt.IsZero():
		return passedWord(s, i, p)
	case i == s.Stage && !st.StartedAt.IsZero():
		return currentWord(s, st, now, p)
	case s.Outcome != nil, s.Phase.GoesBack():
		return p.faint("not begun")
	case i == s.Awaited():
		return p.yellow("waits for approval")
	case st.ApprovedBy != nil:
		return p.faint("approved by " + terminal.Safe(st.ApprovedBy.By))
	case st.Approval != "":
		return p.yellow("needs approval")
	}
	return p.faint("waiting")
}

func passedWord(s rollout.State, i int, p paint) string {
	st := s.Stages[i]
	word := "passed in " + span(st.DoneAt.Sub(st.StartedAt))
	if s.Phase.GoesBack() {
		word = "had " + word
	}
	if n := len(st.Gates); n > 0 && st.Gates[n-1].Override != nil {
		return p.yellow(word + ", promoted by " + whoAndWhy(*st.Gates[n-1].Override))
	}
	if st.Already > 0 {
		word += fmt.Sprintf(", %d already on it", st.Already)
	}
	return p.green(word)
}

// currentWord is the stage that the rollout is in, with the bake's progress.
func currentWord(s rollout.State, st rollout.StageState, now time.Time, p paint) string {
	switch {
	case s.Phase == rollout.PhaseHold && !st.BakeEnds.IsZero():
		return p.yellow("no verdict yet, decides within " + span(st.BakeEnds.Sub(now)))
	case s.Paused != nil && st.BakeEnds.IsZero() && !st.AppliedAt.IsZero():
		word := "paused, the clock stands still; still watched"
		if st.Watched > 0 {
			word = "paused, the clock stands still at " + st.WatchedWord() + "; still watched"
		}
		return p.yellow(word)
	case s.Phase == rollout.PhaseBake && !st.BakeEnds.IsZero():
		left := max(0, st.BakeEnds.Sub(now))
		done := 1.0
		if st.Bake > 0 {
			done = 1 - float64(left)/float64(st.Bake.Std())
		}
		return p.cyan(bar(done, barWidth)) + fmt.Sprintf(" %.0f%%, %s left", 100*max(0, min(1, done)), span(left))
	}
	if (s.Phase == rollout.PhaseApproval || s.Phase == rollout.PhaseTurn) && !st.AppliedAt.IsZero() {
		return p.cyan("passed its gate; still watched")
	}
	return p.phase(string(s.Phase))
}
