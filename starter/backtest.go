package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/backtest"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

func backtestCommand() command {
	return command{
		name: "backtest", arg: "SPEC",
		short: "ask how often the checks would have rolled back a healthy release",
		long: `Reads a span of the past in which nothing was changed from the spec's Prometheus. It
judges every comparison of every stage at many moments, as if a release had been put
out then: each rollback is a false one. It starts nothing and asks no Temporal.

Choose a span without releases and without trouble of single targets; an incident of
the whole fleet may be in it. Each moment needs a whole bake after it, and as much
past before it (at least 10 minutes). Moments lie one bake apart; --every sets another
distance.

A small rate takes many moments to see: 0.1% takes about 3,000. --rate 20% takes few,
and shows whether the judge's assumptions hold for your numbers.`,
		example: "sluice backtest rollout.yaml --from 168h --to 24h",
		flags: []cli.Flag{
			&cli.StringFlag{
				Name: "from", Value: "24h", Usage: "`BEGINNING` of the span: a time such as 2026-03-01T12:00:00Z, or how long ago, such as 168h",
			},
			&cli.StringFlag{Name: "to", Value: "0s", Usage: "`END` of the span"},
			&cli.StringFlag{Name: "every", Usage: "`DURATION` between two moments (default: the stage's bake)"},
			&cli.StringFlag{Name: "rate", Usage: "test this `RATE` of false rollbacks, such as 5%, and not the spec's"},
		},
		run: runBacktest,
	}
}

// tested is the answer of backtest.
type tested struct {
	Unit string    `json:"unit"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Rate is the rate of false rollbacks of a whole rollout that was tested: the spec's, or the
	// one of --rate.
	Rate   float64       `json:"falseRollbackRate"`
	Checks []testedCheck `json:"checks"`
}

// testedCheck is a check's verdicts, with the bakes that failed, or else the nearest to it.
type testedCheck struct {
	backtest.VerdictCount
	Worst []testedMoment `json:"worst,omitempty"`
}

type testedMoment struct {
	At       time.Time `json:"at"`
	Verdict  string    `json:"verdict"`
	Seconds  float64   `json:"t"`
	Evidence string    `json:"evidence"`
}

func runBacktest(ctx context.Context, con *console, c *cli.Context) error {
	l, err := load(ctx, con, c)
	if err != nil {
		return err
	}
	if err := l.list(ctx); err != nil {
		return err
	}
	now := con.now()
	from, err := pastTime("--from", c.String("from"), now)
	if err != nil {
		return err
	}
	to, err := pastTime("--to", c.String("to"), now)
	if err != nil {
		return err
	}
	if !from.Before(to) {
		return usagef("backtest: --from %s is not before --to %s", c.String("from"), c.String("to"))
	}
	var every spec.Duration
	if text := c.String("every"); text != "" {
		if every, err = spec.ParseDuration(text); err != nil || every <= 0 {
			return usagef("--every %q is not a duration above 0, expected one such as 5m", text)
		}
	}
	if !l.kinds.Past(l.spec.Health) {
		return invalidf("%s: backtest needs a source that can be asked about the past, expected health.prometheus", l.file)
	}
	if text := c.String("rate"); text != "" {
		rate, err := spec.ParseNumber(text)
		if err != nil || rate <= 0 || rate > 0.5 {
			return usagef("--rate %q is not a rate, expected more than 0%% and at most 50%%, such as 5%%", text)
		}
		l.plan.Spec.Health.FalseRollbackRate = rate
	}
	out := tested{Unit: l.spec.Unit, From: from, To: to, Rate: float64(l.plan.Spec.Health.FalseRollbackRate)}
	for i := range l.plan.Stages {
		checks, err := testStage(ctx, con.catalog.Health(), l.plan, i, from, to, every.Std())
		if err != nil {
			return err
		}
		out.Checks = append(out.Checks, checks...)
	}
	if len(out.Checks) == 0 {
		return invalidf("%s: backtest tests checks with against or objective, and the spec has none", l.file)
	}
	return con.answer(out, out.text(con.paint))
}

// testStage tests every check of one stage that compares.
func testStage(ctx context.Context, d health.Deps, p plan.Plan, i int, from, to time.Time, every time.Duration) ([]testedCheck, error) {
	st := p.Spec.Stages[i]
	replays, err := health.Replays(ctx, p.Spec.Health, stageBinding(p, i), d, func(spec.Check) bool { return true }, from, to)
	if err != nil {
		return nil, invalidf("stage %s: %w", st.Name, err)
	}
	every = cmp.Or(every, st.Bake.Std())
	var out []testedCheck
	for _, r := range replays {
		c := testedCheck{VerdictCount: backtest.Check(st.Name, r, every)}
		for _, m := range c.VerdictCount.Worst {
			c.Worst = append(c.Worst, testedMoment{
				At: from.Add(m.At).UTC(), Verdict: string(m.Verdict), Seconds: m.Outcome.At.Seconds(), Evidence: m.Evidence,
			})
		}
		out = append(out, c)
	}
	return out, nil
}

// pastTime reads a time such as 2026-03-01T12:00:00Z, or how long ago it was, such as 24h.
func pastTime(flag, text string, now time.Time) (time.Time, error) {
	if d, err := spec.ParseDuration(strings.TrimPrefix(text, "-")); err == nil {
		return now.Add(-d.Std()), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usagef("%s %q is not a time, expected one such as 2026-03-01T12:00:00Z, or how long ago, such as 24h", flag, text)
	}
	if t.After(now) {
		return t, usagef("%s %q is in the future, expected the past", flag, text)
	}
	return t, nil
}

// text is the answer in words.
func (t tested) text(p paint) []string {
	lines := []string{fmt.Sprintf("%s from %s to %s, %s of healthy releases may be rolled back",
		p.bold(terminal.Safe(t.Unit)), t.From.UTC().Format(time.RFC3339), t.To.UTC().Format(time.RFC3339), humanize.PercentTo(t.Rate, 3)), ""}
	rows := [][]string{p.headings("STAGE", "CHECK", "MOMENTS", "TAKEN BACK", "95% BETWEEN", "MAY", "NO DATA", "UNEXERCISED")}
	for _, c := range t.Checks {
		rows = append(rows, []string{
			terminal.Safe(c.Stage), checkGroup(c.Check, c.Group), fmt.Sprint(c.Bakes), fmt.Sprint(c.Failed),
			humanize.Percent(c.Low) + " – " + humanize.Percent(c.High), humanize.Percent(c.Rate),
			share(c.Unknown-c.Unexercised, c.Bakes), share(c.Unexercised, c.Bakes),
		})
	}
	lines = append(lines, columns(rows)...)
	lines = append(lines, "")
	for _, c := range t.Checks {
		lines = append(lines, c.notes(p)...)
	}
	return append(lines, t.verdict(p)...)
}

// notes say when a check failed, what it could not tell, and why.
func (c testedCheck) notes(p paint) []string {
	var lines []string
	of := fmt.Sprintf("%s of %s", checkGroup(c.Check, c.Group), terminal.Safe(c.Stage))
	for _, w := range c.Worst {
		if w.Verdict == string(health.Fail) {
			lines = append(lines, p.red("rolled back")+fmt.Sprintf(" at %s by %s, after %s s: %s",
				w.At.Format(time.RFC3339), of, humanize.Plain(w.Seconds), terminal.Safe(w.Evidence)))
		} else {
			lines = append(lines, fmt.Sprintf("the nearest to it by %s: at %s, %s", of, w.At.Format(time.RFC3339), terminal.Safe(w.Evidence)))
		}
	}
	if more := c.Failed - len(c.Worst); c.Failed > 0 && more > 0 {
		lines = append(lines, fmt.Sprintf("and %s more by %s", plural(more, "moment"), of))
	}
	if c.Why != "" {
		lines = append(lines, p.yellow("unknown")+fmt.Sprintf(" for %s: %s", of, terminal.Safe(c.Why)))
	}
	return lines
}

// verdict is how many healthy bakes would have been rolled back, and how sure that is.
func (t tested) verdict(p paint) []string {
	moments, judged, failed, apart := 0, 0, 0, 0.0
	for _, c := range t.Checks {
		moments, judged, failed, apart = moments+c.Bakes, judged+c.Bakes-c.Unknown, failed+c.Failed, apart+c.Apart
	}
	if moments == 0 && !slices.ContainsFunc(t.Checks, func(c testedCheck) bool { return c.Why == "" }) {
		return []string{p.yellow("nothing could be tested: the Prometheus knows nothing of that time")}
	}
	if moments == 0 {
		return []string{p.yellow("no moment could be tested: the span needs a bake after it, and as long a past before it, at least 10 minutes")}
	}
	if judged == 0 {
		return []string{p.yellow(fmt.Sprintf("none of %s could be judged, so this tells nothing of the rate", plural(moments, "bake")))}
	}
	said := fmt.Sprintf("at %s a rollout, %d of %s would have been rolled back", humanize.PercentTo(t.Rate, 3), failed, plural(judged, "bake"))
	if failed == 0 {
		said = p.green(said)
	} else {
		said = p.red(said)
	}
	lines := []string{said}
	if apart < 0.99*float64(judged) {
		lines = append(lines, fmt.Sprintf("bakes overlap: they tell as much as %s beside each other would", humanize.Integer(math.Floor(apart))))
	}
	for _, c := range t.Checks {
		if need := backtest.Needed(c.Rate); need > c.Apart && failed == 0 && c.Bakes > c.Unknown {
			return append(lines, fmt.Sprintf("too few to tell %s from none: that takes %s of a check (--rate tests a larger one)",
				humanize.Percent(c.Rate), humanize.Integer(need)))
		}
	}
	return lines
}
