package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

const (
	flagCheck  = "check"
	flagSeries = "series"
)

func judgeCommand() command {
	return command{
		name: "judge", short: "judge recorded numbers as a rollout would",
		long: `Reads one check and a series of counts, and prints the verdict that a rollout would
have given. It asks no server.

The check file is a check of a spec without its queries, with the rollout's settings:

   against: control
   worse: 20%
   every: 15s
   bake: 30m   # or {min: 2m, max: 30m, enough: 2x, risk: 5%}
   falseRollbackRate: 5%

The series file is CSV with this header:

   run,t,exposed_bad,exposed_total,control_bad,control_total

Each row holds the counts of one look of one run. t is the end of the look in seconds
after the change; rows with t of 0 or less are from before the change. An empty cell, or
a number below 0, is no data. A file may hold many runs.

With --output json it prints one object per run: the verdict, when it was decided, the
evidence of harm in nats (ln_e), and the ratio of the error rates. The exit code is 0,
whatever the verdicts are.`,
		example: "sluice judge --check check.yaml --series series.csv --output json",
		flags: []cli.Flag{
			&cli.StringFlag{Name: flagCheck, Usage: "`FILE` with the check; - is standard input"},
			&cli.StringFlag{Name: flagSeries, Usage: "`FILE` with the counts; - is standard input"},
		},
		run: judgeSeries,
	}
}

func judgeSeries(_ context.Context, con *console, c *cli.Context) error {
	if c.String(flagCheck) == "" || c.String(flagSeries) == "" {
		return usagef("judge needs --check and --series, for example: sluice judge --check check.yaml --series series.csv")
	}
	if c.String(flagCheck) == "-" && c.String(flagSeries) == "-" {
		return usagef("judge: --check and --series are both -, expected at most one of them to be standard input")
	}
	check, err := readCheck(con, c.String(flagCheck))
	if err != nil {
		return err
	}
	runs, err := readSeries(con, c.String(flagSeries))
	if err != nil {
		return err
	}
	con.compact = true
	for i, out := range outcomes(check, runs) {
		if err := con.outcome(runs[i].Run, out); err != nil {
			return err
		}
	}
	return nil
}

// maxSeries bounds a series' file.
const maxSeries = 1 << 30

func readCheck(con *console, path string) (spec.Standalone, error) {
	data, err := read(con, path)
	if err != nil {
		return spec.Standalone{}, err
	}
	check, err := spec.ParseStandalone(named(path), data, con.catalog.Kinds())
	if err != nil {
		return check, invalidInput(named(path), err)
	}
	return check, nil
}

func readSeries(con *console, path string) ([]judge.Recorded, error) {
	in := con.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, invalidf("read %s: %w", path, pathCause(err))
		}
		defer func() { _ = f.Close() }() // nothing was written
		in = f
	}
	bounded := &io.LimitedReader{R: in, N: maxSeries + 1}
	runs, err := judge.ReadSeries(named(path), bounded)
	switch {
	case bounded.N <= 0:
		return nil, invalidf("%s: is larger than 1 GiB, expected less: part it by runs", named(path))
	case err != nil:
		return nil, invalidf("%w", err)
	case len(runs) == 0:
		return nil, invalidf("%s: has no rows, expected at least one", named(path))
	}
	return runs, nil
}

// outcomes judges all runs, several at once.
func outcomes(check spec.Standalone, runs []judge.Recorded) []judge.Outcome {
	out := make([]judge.Outcome, len(runs))
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				looks := runs[i].Looks()
				out[i] = judge.Run(standaloneCriteria(check, looks, runs[i].End()), looks)
			}
		})
	}
	for i := range runs {
		next <- i
	}
	close(next)
	wg.Wait()
	return out
}

// standaloneCriteria are what one run is judged by.
func standaloneCriteria(l spec.Standalone, looks []judge.ArmCounts, end time.Duration) judge.Criteria {
	c := judge.Criteria{
		Before: l.Against == spec.AgainstBefore,
		Every:  cmp.Or(l.Every.Std(), judge.Pace(looks)), Bake: cmp.Or(l.Bake.Max.Std(), end), MinSamples: float64(l.MinSamples),
		Enough: float64(l.Bake.Enough), Risk: float64(l.Bake.Risk), Least: l.Bake.Min.Std(),
	}
	if l.Objective != nil {
		c.Objective, c.Burn = float64(*l.Objective), float64(l.Burn)
	}
	if l.Worse != nil {
		c.Worse = float64(*l.Worse)
	}
	c.Alpha, c.Traffic = judge.SplitRate(float64(l.FalseRollbackRate))
	return c
}

// recorded is a line of the command's JSON.
type recorded struct {
	Run      string        `json:"run"`
	Verdict  judge.Verdict `json:"verdict"`
	T        float64       `json:"t"`
	LnE      float64       `json:"ln_e"`
	Ratio    float64       `json:"ratio"`
	Evidence string        `json:"evidence"`
}

func (c *console) outcome(run string, o judge.Outcome) error {
	verdict := c.paint.verdict(o.Verdict, string(o.Verdict))
	return c.answer(
		recorded{Run: run, Verdict: o.Verdict, T: o.At.Seconds(), LnE: o.LnE, Ratio: o.Ratio, Evidence: o.Evidence},
		[]string{fmt.Sprintf("%s: %s at %s s: %s", terminal.Safe(run), verdict, humanize.Plain(o.At.Seconds()), o.Evidence)},
	)
}
