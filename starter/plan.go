package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/backtest"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

func planCommand() command {
	return command{
		name: "plan", arg: "SPEC",
		short: "show what a rollout would do, stage by stage",
		long: `Shows which targets each stage changes, how long it takes at most, and how many
targets are at risk meanwhile, and what no check of the spec can see. The same spec and fleet always give the same plan. It
starts nothing, and needs no server but where it says so. SPEC may be - for standard input.

Where the spec's Prometheus answers, plan also predicts from the last hour what each
comparison can see: the smallest harm that shows within a bake, and how long harm of
twice and five times the usual takes to show. --no-predict asks no Prometheus.

With --store, plan asks Temporal what the fleet runs, shows how a bundle differs from
that, and refuses what validate.change does not allow.

A spec with train: asks Temporal, too: which releases are under way, and what the new one
would wait for or supersede, or why it would be refused.`,
		example: "sluice plan rollout.yaml --targets",
		flags: append(accessFlags(),
			&cli.BoolFlag{Name: "targets", DisableDefaultText: true, Usage: "list every target of every stage"},
			&cli.BoolFlag{Name: "no-predict", DisableDefaultText: true, Usage: "ask no Prometheus what the checks can be expected to see"},
			storeFlag("of the workers' content store, to compare a bundle with what the fleet runs"),
		),
		remote: true,
		run:    showPlan,
	}
}

func showPlan(ctx context.Context, con *console, c *cli.Context) error {
	l, err := load(ctx, con, c)
	if err != nil {
		return err
	}
	defer l.close()
	if err := l.list(ctx); err != nil {
		return err
	}
	if l.spec.Fleet.Listed() {
		con.say("the fleet was listed from here; when the rollout starts, the worker lists it again")
	}
	if err := l.fit(ctx); err != nil {
		return err
	}
	changes, err := l.plannedChanges(ctx, con, c)
	if err != nil {
		return err
	}
	planned := describePlan(l.plan, l.measure())
	if planned.Changes = changes; len(l.parts) == 0 && len(changes) > 0 {
		planned.Change, planned.Changes = &changes[0], nil
	}
	planned.Blind = plan.Blind(l.plan.Spec, l.kinds, planned.Targets)
	if l.kinds.Past(l.spec.Health) && !c.Bool("no-predict") {
		planned.Forecasts, err = predict(ctx, con.catalog.Health(), l.plan, con.now())
		if err != nil && !errors.Is(err, errNothingToPredict) {
			con.say("no prediction of what the checks can see: %s (--no-predict asks no Prometheus)", terminal.Safe(err.Error()))
		}
	}
	planned.Train = l.place(ctx, con, c)
	lines := append(planText(planned, c.Bool("targets"), con.paint), planned.Train.lines(l.spec.Unit)...)
	if len(changes) > 0 {
		lines = append(append(changesText(changes), ""), lines...)
	}
	if len(planned.Forecasts) > 0 {
		lines = append(lines, predictionText(planned.Forecasts, con.paint)...)
		lines = append(lines, notForecast(l.plan.Spec.Health.Checks, con.paint)...)
	}
	return con.answer(planned, lines)
}

// plannedChanges compares bundles with what the fleet runs, where a store is named and Temporal
// answers.
func (l *loaded) plannedChanges(ctx context.Context, con *console, c *cli.Context) ([]bundleChange, error) {
	storeDir := c.String("store")
	if len(l.bundles()) == 0 || storeDir == "" {
		return nil, nil
	}
	r, err := dial(ctx, con, c)
	if err != nil {
		con.say("not compared with what the fleet runs: %s", err)
		return nil, nil
	}
	defer r.client.Close()
	changes, excess, err := r.changes(ctx, con, l, storeDir)
	if err != nil || excess == nil {
		return changes, err
	}
	if len(changes) > 0 {
		con.say("%s", strings.Join(changesText(changes), "\n"))
	}
	return nil, l.refuseExcess(excess)
}

// planned is a plan for display.
type planned struct {
	Unit    string `json:"unit"`
	Release string `json:"release"`
	Version string `json:"version,omitempty"`
	// Parts are the units that move as one, in the order in which they change.
	Parts   []plannedPart `json:"parts,omitempty"`
	Targets int           `json:"targets"`
	// Longest is how long the rollout takes, the measuring before each stage included, if every
	// gate holds as long as it may; the look before the first stage, pauses, approvals and applying
	// come on top.
	Longest spec.Duration  `json:"longest"`
	Stages  []plannedStage `json:"stages"`
	// Guard is how long the release is watched on after the last stage; it does not count in
	// Longest.
	Guard spec.Duration `json:"guard,omitempty"`
	// Drill, Activates and OnRegression are the spec's: what is run on targets, and whom the
	// release may wake.
	Drill        *spec.Drill `json:"drill,omitempty"`
	Activates    []string    `json:"activates,omitempty"`
	OnRegression string      `json:"onRegression,omitempty"`
	// Change is how the bundle differs from what the fleet runs; nil where that is not known.
	Change *bundleChange `json:"change,omitempty"`
	// Changes are those of parts.
	Changes []bundleChange `json:"changes,omitempty"`
	// Blind is what no check of the spec can see.
	Blind []string `json:"blind"`
	// Train is its place in the train of its unit; nil where it goes in none, or nobody answers.
	Train *placed `json:"train,omitempty"`
	// Deaths is the chance that a good release is rolled back for targets that die by themselves, if
	// each does so once a year.
	Deaths float64 `json:"deaths,omitempty"`
	// Forecasts are what comparisons can be expected to see, where the source answers.
	Forecasts []backtest.Forecast `json:"forecasts,omitempty"`
}

// plannedPart is one part of a planned rollout.
type plannedPart struct {
	Unit    string `json:"unit"`
	Release string `json:"release"`
	Driver  string `json:"driver"`
}

// plannedStage is one stage of a planned rollout.
type plannedStage struct {
	Name string `json:"name"`
	// New is how many targets the stage changes; AtRisk how many run the release while it is
	// judged, which is also the stage's reach.
	New         int     `json:"new"`
	AtRisk      int     `json:"atRisk"`
	AtRiskShare float64 `json:"atRiskShare"`
	// Measure is how long targets are read before the stage; 0 where the source knows the past.
	Measure      spec.Duration `json:"measure,omitempty"`
	Bake         spec.Duration `json:"bake"`
	DecideWithin spec.Duration `json:"decideWithin"`
	Longest      spec.Duration `json:"longest"`
	// By is when the stage is over at the latest, counted from the start.
	By       spec.Duration `json:"by"`
	Approval string        `json:"approval,omitempty"`

	ApproveWithin spec.Duration `json:"approveWithin,omitempty"`

	Undecided string            `json:"undecided"`
	Where     map[string]string `json:"where,omitempty"`
	// Spread counts the new targets per value of the label to spread over.
	SpreadOver string         `json:"spreadOver,omitempty"`
	Spread     map[string]int `json:"spread,omitempty"`
	Targets    []string       `json:"targets"`
}

// measure is how long targets are read before each stage.
func (l loaded) measure() spec.Duration {
	source := l.kinds.Source(l.spec.Health)
	if source == nil {
		return 0
	}
	return source.Traits().Measure
}

// describePlan works out what a plan means.
func describePlan(p plan.Plan, measure spec.Duration) planned {
	out := planned{
		Unit: p.Spec.Unit, Release: p.Spec.Release, Version: p.Spec.Version, Targets: len(p.Order),
		Deaths: p.Deaths(), Guard: p.Spec.Guard, Drill: p.Spec.Drill, Activates: p.Spec.Activates, OnRegression: p.Spec.OnRegression,
	}
	for _, part := range p.Spec.Parts {
		out.Parts = append(out.Parts, plannedPart{part.Unit, part.Release, part.Driver.Name})
	}
	var total time.Duration
	for i, s := range p.Spec.Stages {
		longest := measure.Std() + plan.Longest(s)
		total += longest
		st := plannedStage{
			Name: s.Name, New: p.Stages[i].Size(), AtRisk: p.AtRisk(i),
			AtRiskShare: float64(p.AtRisk(i)) / float64(max(1, len(p.Order))),
			Measure:     measure, Bake: s.Bake, DecideWithin: s.DecideWithin, Longest: spec.Duration(longest), By: spec.Duration(total),
			Approval: s.Approval, ApproveWithin: s.ApproveWithin, Undecided: s.Undecided, Where: s.Where, SpreadOver: s.Spread,
			Targets: fleet.IDs(p.Cohort(i)),
		}
		if s.Spread != "" {
			st.Spread = map[string]int{}
			for _, t := range p.Cohort(i) {
				st.Spread[t.Labels[s.Spread]]++
			}
		}
		out.Stages = append(out.Stages, st)
	}
	out.Longest = spec.Duration(total)
	return out
}
