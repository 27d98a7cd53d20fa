package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/internal/terminal"
	"github.com/sluicehq/sluice/worker/rehearsal"
)

func simulateCommand() command {
	return command{
		name: "simulate", arg: "[SPEC]",
		short: "rehearse a rollout on a modelled fleet, in skipped time",
		long: `Runs the spec through the same workflow, activities and judge as start does, on a
modelled fleet with the faults that you name, in skipped time: hours take seconds. It
changes nothing, needs no server, and says what each stage would have seen, when harm is
detected and undone, and how many requests it costs.

A fault is what goes wrong on targets that run the release: a kind, how much, and when
and where. Kinds: errors 3x (or 30%), latency 2x, traffic 20%, check NAME 3x, crash,
brick (down, and takes no order), silent, refuse, source away. Words behind it: from 10m
(after a target got the release), at 2h (after the rollout began), for 15m, ramp 10m,
pulse 5m/10m, above 50% (of the fleet has it), on region=eu, one in 10, everywhere (also
without the release), stays (going back cures nothing).

Traffic is that of the last hour where the spec's Prometheus answers, else --rate and
--errors. With --runs it answers how often the rollout ends how; without a fault that is
the rate of false rollbacks of this spec.

With --outage FILE it deploys the change of a public outage in five ways (a push, one with
a person watching, one a day later, stages on a timer, Sluice) and compares what each cost:
by SPEC on the outage's fleet, or by a default spec.`,
		example: `sluice simulate rollout.yaml --fault "errors 5x from 10m on region=eu"`,
		flags:   simulateFlags(),
		run:     runSimulate,
	}
}

func simulateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "fault", Usage: "what goes wrong: a `FAULT` such as \"errors 3x from 10m\"; may be repeated"},
		&cli.StringFlag{Name: "outage", Usage: "deploy the change of the outage in `FILE`, in five ways"},
		&cli.IntFlag{Name: "runs", Value: 1, Usage: "rehearse `N` times, each with other chances"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "`NUMBER` that makes the same chances again; the runs of --runs count up from it"},
		&cli.StringFlag{Name: "limit", Value: "168h", Usage: "stop after `DURATION` of the rollout's time"},
		&cli.Float64Flag{Name: "rate", Usage: "`REQUESTS` a second of each target, above 0 (default 20)"},
		&cli.StringFlag{Name: "errors", Usage: "usual `SHARE` of bad requests, above 0% (default 0.1%)"},
		&cli.StringFlag{Name: "day", Usage: "`SHARE` by which traffic goes up by day and down by night (default 0%)"},
		&cli.Float64Flag{Name: "burst", Usage: "bad requests come `N` at a time on average (default 1)"},
		&cli.Float64Flag{Name: "wander", Usage: "errors of the whole fleet drift by this `DEVIATION` of their logarithm (default 0)"},
		&cli.BoolFlag{Name: "no-past", DisableDefaultText: true, Usage: "ask no Prometheus what traffic is usual"},
	}
}

func runSimulate(ctx context.Context, con *console, c *cli.Context) error {
	folder, err := os.MkdirTemp("", "sluice-simulate-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }() // what is left is small, and in a temporary folder
	kept, err := store.Dir(folder)
	if err != nil {
		return err
	}
	switch {
	case c.String("outage") != "" && len(ofRehearsal(c)) > 0:
		return usagef("simulate: --outage has its own faults and traffic, and is played once: leave --%s out",
			strings.Join(ofRehearsal(c), ", --"))
	case c.String("outage") != "":
		return replayOutage(ctx, con, c, kept)
	case c.Args().Len() == 0:
		return usagef("simulate: expected a SPEC, such as: sluice simulate rollout.yaml --fault \"errors 5x\"")
	}
	l, err := load(ctx, con, c)
	if err != nil {
		return err
	}
	defer l.close()
	if err := l.list(ctx); err != nil {
		return err
	}
	asked, err := askedOf(ctx, con, c, &l)
	if err != nil {
		return err
	}
	if asked.rehearsal.Store = kept; asked.runs == 1 {
		return asked.once(ctx, con)
	}
	return asked.often(ctx, con)
}

// ofRehearsal are the flags of a command line that are for a rehearsal, and not for an outage.
func ofRehearsal(c *cli.Context) []string {
	flags := []string{"fault", "runs", "limit", "rate", "errors", "day", "burst", "wander", "no-past"}
	return slices.DeleteFunc(flags, func(name string) bool { return !c.IsSet(name) })
}

// asked is what a command line asks to rehearse.
type asked struct {
	rehearsal rehearsal.Rehearsal
	faults    []string
	runs      int
	// from says where the usual traffic is known from.
	from string
}

func askedOf(ctx context.Context, con *console, c *cli.Context, l *loaded) (asked, error) {
	limit, err := spec.ParseDuration(c.String("limit"))
	if err != nil || limit <= 0 {
		return asked{}, usagef("--limit %q is not a duration above 0, expected one such as 48h", c.String("limit"))
	}
	a := asked{faults: c.StringSlice("fault"), runs: c.Int("runs"), rehearsal: rehearsal.Rehearsal{
		Spec: l.plan.Spec, Fleet: l.fleet, Before: "before", Limit: limit.Std(), Approve: true,
		Model: simulate.Model{Seed: c.Uint64("seed")},
	}}
	if a.runs < 1 || a.runs > mostRuns {
		return asked{}, usagef("--runs %d: expected 1 to %d", a.runs, mostRuns)
	}
	for _, text := range a.faults {
		f, err := simulate.ParseFault(text)
		if err == nil {
			err = fitting(f, l)
		}
		if err == nil && f.At >= limit.Std() {
			err = fmt.Errorf("begins only after --limit %s, expected a time before that, or a longer --limit", limit)
		}
		if err != nil {
			return asked{}, usagef("--fault %q: %s", text, err)
		}
		a.rehearsal.Model.Faults = append(a.rehearsal.Model.Faults, f)
	}
	load, from, err := loadOf(ctx, con, c, l)
	a.rehearsal.Model.Loads, a.from = []simulate.Load{load}, from
	return a, err
}

// mostRuns bounds --runs.
const mostRuns = 100_000

// fitting refuses a fault that no target and no check of the spec has.
func fitting(f simulate.Fault, l *loaded) error {
	var names []string
	for _, c := range l.spec.Health.Checks {
		names = append(names, c.Name)
	}
	if f.Check != "" && !slices.Contains(names, f.Check) {
		return fmt.Errorf("the spec has no check %q, expected one of %s", f.Check, strings.Join(names, ", "))
	}
	return simulate.UnknownLabels(f.On, l.fleet.Targets)
}

// loadOf is the usual traffic: of flags, else of the last hour, else a default.
func loadOf(ctx context.Context, con *console, c *cli.Context, l *loaded) (simulate.Load, string, error) {
	load, err := loadOfFlags(c)
	if err != nil {
		return load, "", err
	}
	if load.Rate > 0 || load.Errors > 0 || c.Bool("no-past") || !l.kinds.Past(l.spec.Health) {
		return load, "assumed", nil
	}
	forecasts, err := predict(ctx, con.catalog.Health(), l.plan, con.now())
	if err != nil {
		con.say("the spec's Prometheus does not tell what traffic is usual (%s): --rate and --errors say so", terminal.Safe(err.Error()))
		return load, "assumed", nil
	}
	for _, f := range forecasts {
		if per := (f.Exposed + f.Control) / float64(len(l.fleet.Targets)); per > load.Rate {
			load.Rate, load.Errors = per, f.Base
		}
	}
	return load, "of the last hour", nil
}

// loadOfFlags is what flags say of the usual traffic. 0 is what they do not say, and no rate.
func loadOfFlags(c *cli.Context) (simulate.Load, error) {
	load := simulate.Load{Rate: c.Float64("rate"), Burst: c.Float64("burst"), Wander: c.Float64("wander")}
	for name, to := range map[string]*float64{"errors": &load.Errors, "day": &load.Day} {
		text := c.String(name)
		if text == "" {
			continue
		}
		share, err := spec.ParseNumber(text)
		if err != nil || share < 0 || share > 1 {
			return load, usagef("--%s %q is no share, expected one such as 0.1%%", name, text)
		}
		*to = float64(share)
	}
	if c.IsSet("errors") && load.Errors == 0 {
		return load, usagef("--errors %s: expected above 0%% to 100%%, or leave it out", c.String("errors"))
	}
	if c.IsSet("rate") && !(load.Rate > 0 && load.Rate <= mostRate) { // nor NaN
		return load, usagef("--rate %g: expected above 0 to %s, or leave it out", load.Rate, humanize.Integer(mostRate))
	}
	for _, most := range []struct {
		flag     string
		is, most float64
	}{{"burst", load.Burst, 1e6}, {"wander", load.Wander, 10}} {
		if !(most.is >= 0 && most.is <= most.most) { // nor NaN
			return load, usagef("--%s %g: expected 0 to %s", most.flag, most.is, humanize.Integer(most.most))
		}
	}
	return load, nil
}

// mostRate bounds --rate.
const mostRate = 1e9

// simulated is how one rehearsal ended.
type simulated struct {
	Unit    string `json:"unit"`
	Release string `json:"release"`
	Seed    uint64 `json:"seed"`
	// Result is the rollout's, or the phase in which it still was when the limit stopped it.
	Result  string `json:"result"`
	Limited bool   `json:"stoppedByLimit,omitempty"`
	Stage   string `json:"stage,omitempty"`
	Why     string `json:"why"`
	// Condemned are the checks for which it went back, and NotBack how many targets could not be
	// brought back.
	Condemned []string `json:"condemned,omitempty"`
	NotBack   int      `json:"notBack,omitempty"`
	// Took is how long it took, in the rollout's time.
	Took spec.Duration `json:"took"`
	simulate.Score
	// NeverBegan are the faults that showed nowhere.
	NeverBegan []string `json:"neverBegan,omitempty"`
	Assumed    []string `json:"assumedToPass,omitempty"`
	// Timeline and Curve are by the model's clock, which began at Began.
	Began    time.Time        `json:"began"`
	Timeline []event          `json:"timeline,omitempty"`
	Curve    []simulate.Point `json:"curve,omitempty"`
}

// run rehearses with a seed.
func (a asked) run(ctx context.Context, con *console, seed uint64, events bool) (simulated, error) {
	r := a.rehearsal
	r.Model.Seed = seed
	var seen []event
	var before view
	r.After = func(w *simulate.World, ended time.Time) simulate.Ledger { // harm is seen to be over in the next slot
		return w.Foresee(ended.Add(2 * simulate.Slot))
	}
	if events {
		r.Saw = func(s rollout.State, at time.Time) {
			after := view{State: &s, Unit: s.Unit, Release: s.Release}
			seen, before = append(seen, changes(before, after, at)...), after
		}
	}
	out, err := rehearsed(ctx, func() (rehearsal.Result, error) { return rehearsal.Run(r, con.catalog) })
	if err != nil {
		return simulated{}, err
	}
	if events {
		r.Saw(out.State, out.Began.Add(out.Took))
	}
	slices.SortStableFunc(seen, func(a, b event) int { return a.At.Compare(b.At) })
	s := a.told(out, seed)
	s.Timeline = slices.DeleteFunc(seen, func(e event) bool { return e.Kind == "end" })
	return s, nil
}

// told sums a rehearsal up.
func (a asked) told(out rehearsal.Result, seed uint64) simulated {
	sp, state := a.rehearsal.Spec, out.State
	s := simulated{
		Unit: sp.Unit, Release: sp.Release, Seed: seed, Result: string(state.Phase),
		Limited: state.Outcome == nil, Stage: state.StageName(), Why: state.Why,
		NotBack: max(state.NotBack, len(state.NotReverted)), Took: spec.Duration(out.Took.Round(time.Second)), Score: out.Ledger.Score(),
		Assumed: simulate.Assumed(sp.Health), Began: out.Began, Curve: out.Ledger.Curve,
	}
	if o := state.Outcome; o != nil {
		s.Stage, s.Why, s.Condemned, s.NotBack = o.Stage, o.Why, o.Condemned, max(o.NotBack, len(o.NotReverted))
	}
	for _, i := range out.NeverBegan {
		s.NeverBegan = append(s.NeverBegan, a.faults[i])
	}
	return s
}

var errInterrupted = errors.New("interrupted")

// rehearsed waits for a rehearsal no longer than somebody wants it: it cannot be stopped, and ends
// with the program.
func rehearsed[T any](ctx context.Context, run func() (T, error)) (T, error) {
	var out T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		out, err = run()
	}()
	select {
	case <-ctx.Done():
		var none T
		return none, errInterrupted
	case <-done:
		return out, err
	}
}

// once rehearses once, and tells how it went.
func (a asked) once(ctx context.Context, con *console) error {
	s, err := a.run(ctx, con, a.rehearsal.Model.Seed, true)
	if err != nil {
		return err
	}
	return con.answer(s, append(a.heading(con.paint), s.text(con.paint)...))
}
