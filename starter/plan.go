package main

import (
	"context"
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/backtest"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

func planCommand() command {
	return command{
		name: "plan", arg: "SPEC",
		short: "show what a rollout would do, stage by stage",
		long: `Shows which targets each stage changes, how long it takes at most, and how many
targets are at risk meanwhile. The same spec and fleet always give the same plan. It
starts nothing and needs no server. SPEC may be - for standard input.

Where the spec's Prometheus answers, plan also predicts from the last hour what each
comparison can see: the smallest harm that shows within a bake, and how long harm of
twice and five times the usual takes to show. --no-predict asks no Prometheus.`,
		example: "sluice plan rollout.yaml --targets",
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "targets", DisableDefaultText: true, Usage: "list every target of every stage"},
			&cli.BoolFlag{Name: "no-predict", DisableDefaultText: true, Usage: "ask no Prometheus what the checks can be expected to see"},
		},
		run: func(ctx context.Context, con *console, c *cli.Context) error {
			l, err := load(con, c.Args().First())
			if err != nil {
				return err
			}
			if err := l.list(ctx); err != nil {
				return err
			}
			if l.spec.Fleet.Listed() {
				con.say("the fleet was listed from here; when the rollout starts, the worker lists it again")
			}
			planned := describePlan(l.plan)
			if l.kinds.Past(l.spec.Health) && !c.Bool("no-predict") {
				planned.Forecasts, err = predict(ctx, con.catalog.Health(), l.plan, con.now())
				if err != nil && !errors.Is(err, errNothingToPredict) {
					con.say("no prediction of what the checks can see: %s (--no-predict asks no Prometheus)", terminal.Safe(err.Error()))
				}
			}
			if con.json {
				return con.object(planned)
			}
			lines := planText(planned, c.Bool("targets"), con.paint)
			if len(planned.Forecasts) > 0 {
				lines = append(lines, predictionText(planned.Forecasts, con.paint)...)
				lines = append(lines, notForecast(l.plan.Spec.Health.Checks, con.paint)...)
			}
			return con.lines(lines)
		},
	}
}

// planned is a plan for display.
type planned struct {
	Unit    string `json:"unit"`
	Release string `json:"release"`
	Targets int    `json:"targets"`
	// Longest is how long the rollout takes if every gate holds as long as it
	// may; pauses, approvals and applying come on top.
	Longest spec.Duration  `json:"longest"`
	Stages  []plannedStage `json:"stages"`
	// Forecasts are what comparisons can be expected to see, where the source answers.
	Forecasts []backtest.Forecast `json:"forecasts,omitempty"`
}

// plannedStage is one stage of a planned rollout.
type plannedStage struct {
	Name string `json:"name"`
	// New is how many targets the stage changes; AtRisk how many run the release
	// while it is judged, which is also the stage's reach.
	New          int           `json:"new"`
	AtRisk       int           `json:"atRisk"`
	AtRiskShare  float64       `json:"atRiskShare"`
	Bake         spec.Duration `json:"bake"`
	DecideWithin spec.Duration `json:"decideWithin"`
	Longest      spec.Duration `json:"longest"`
	// By is when the stage is over at the latest, counted from the start.
	By        spec.Duration     `json:"by"`
	Approval  string            `json:"approval,omitempty"`
	Undecided string            `json:"undecided"`
	Where     map[string]string `json:"where,omitempty"`
	// Spread counts the new targets per value of the label to spread over.
	SpreadOver string         `json:"spreadOver,omitempty"`
	Spread     map[string]int `json:"spread,omitempty"`
	Targets    []string       `json:"targets"`
}

// describePlan works out what a plan means.
func describePlan(p plan.Plan) planned {
	out := planned{Unit: p.Spec.Unit, Release: p.Spec.Release, Targets: len(p.Order)}
	var total time.Duration
	for i, s := range p.Spec.Stages {
		longest := plan.Longest(s)
		total += longest
		st := plannedStage{
			Name: s.Name, New: p.Stages[i].Size(), AtRisk: p.AtRisk(i),
			AtRiskShare: float64(p.AtRisk(i)) / float64(max(1, len(p.Order))),
			Bake:        s.Bake, DecideWithin: s.DecideWithin, Longest: spec.Duration(longest), By: spec.Duration(total),
			Approval: s.Approval, Undecided: s.Undecided, Where: s.Where, SpreadOver: s.Spread,
			Targets: make([]string, 0, p.Stages[i].Size()),
		}
		for _, t := range p.Cohort(i) {
			st.Targets = append(st.Targets, t.ID)
			if s.Spread != "" {
				if st.Spread == nil {
					st.Spread = map[string]int{}
				}
				st.Spread[t.Labels[s.Spread]]++
			}
		}
		out.Stages = append(out.Stages, st)
	}
	out.Longest = spec.Duration(total)
	return out
}
