package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/backtest"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

// A prediction rests on the last hour, and a plan does not wait long for it.
const (
	predictFrom  = time.Hour
	predictLimit = 10 * time.Second
)

// errNothingToPredict is for specs without a comparison.
var errNothingToPredict = errors.New("no check compares")

// predict asks the spec's Prometheus what its comparisons can be expected to see.
func predict(ctx context.Context, d health.Deps, p plan.Plan, now time.Time) ([]backtest.Forecast, error) {
	ctx, cancel := context.WithTimeout(ctx, predictLimit)
	defer cancel()
	var out []backtest.Forecast
	known := false // something
	for i := range p.Stages {
		replays, err := health.Replays(ctx, p.Spec.Health, stageBinding(p, i), d, spec.Check.Counts, now.Add(-predictFrom), now)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("no answer within %s", predictLimit)
		} else if err != nil {
			return nil, err
		}
		missing, last := "", ""
		for _, r := range replays {
			last = strings.TrimSpace(r.Check + " " + r.Group)
			out = append(out, backtest.Expect(p.Spec.Stages[i].Name, r))
			if missing = r.Missing; missing == "" {
				known = true
			}
		}
		if missing != "" && !known { // a source that does not answer is not asked for every stage
			return nil, fmt.Errorf("%s: %s", last, missing)
		}
	}
	if len(out) == 0 {
		return nil, errNothingToPredict
	}
	return out, nil
}

// stageBinding says whom a stage's checks are about, for questions about the past.
func stageBinding(p plan.Plan, i int) health.Binding {
	st := p.Spec.Stages[i]
	return health.Binding{
		Scope: source.Scope{Unit: p.Spec.Unit, Stage: st.Name, Exposed: p.Exposed(i), Control: p.Control(i)},
		Bake:  st.Bake.Std(), Adaptive: st.Adaptive, Stages: p.Spec.JudgedStages(),
	}
}

// predictionText is a table of what checks can be expected to see.
func predictionText(fs []backtest.Forecast, p paint) []string {
	known := 0.0
	for _, f := range fs {
		known = max(known, f.Known)
	}
	since := "in the last hour"
	if long := time.Duration(known * float64(time.Second)); long > 0 && long < predictFrom*9/10 {
		since += fmt.Sprintf(" (%s of it are known)", spec.Duration(long.Round(time.Second)))
	}
	lines := []string{"", p.bold("what the checks can see") + ", if traffic stays as it was " + since + ", harm by rollouts of then included"}
	rows := [][]string{p.headings("STAGE", "CHECK", "EXPOSED", "OTHERS", "BAD", "SMALLEST", "2× AFTER", "5× AFTER", "REQUESTS AT RISK")}
	for _, f := range fs {
		rows = append(rows, []string{
			terminal.Safe(f.Stage), checkGroup(f.Check, f.Group), humanize.PlainTo(f.Exposed, 2) + "/s", humanize.PlainTo(f.Control, 2) + "/s",
			humanize.Percent(f.Base), times(f.Smallest), lasts(f.Twice), lasts(f.Five), humanize.Integer(f.AtRisk),
		})
	}
	lines = append(lines, columns(rows)...)
	for _, f := range fs {
		for _, w := range f.Warnings {
			lines = append(lines, p.yellow("warning")+fmt.Sprintf(": %s of %s: %s",
				checkGroup(f.Check, f.Group), terminal.Safe(f.Stage), terminal.Safe(w)))
		}
	}
	return lines
}

// checkGroup is a check with its group, if it has one, made safe.
func checkGroup(check, group string) string {
	return terminal.Safe(strings.TrimSpace(check + " " + group))
}

// notForecast names the checks that compare and are not in a prediction.
func notForecast(checks []spec.Check, p paint) []string {
	var names []string
	for _, c := range checks {
		if c.Means() {
			names = append(names, terminal.Safe(c.Name))
		}
	}
	if names == nil {
		return nil
	}
	return []string{p.faint("not forecast: " + strings.Join(names, ", ") + " (checks of a value; sluice backtest judges them over the past)")}
}

func times(ratio float64) string {
	if ratio == 0 {
		return "none"
	}
	return humanize.PlainTo(ratio, 2) + "×"
}

// lasts words a time; 0 is what the bake is too short for.
func lasts(seconds float64) string {
	if seconds == 0 {
		return "too long"
	}
	return spec.Duration(time.Duration(seconds * float64(time.Second)).Round(time.Second)).String()
}
