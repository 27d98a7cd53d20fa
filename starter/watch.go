package main

import (
	"cmp"
	"context"
	"time"

	"github.com/urfave/cli/v2"
)

func watchCommand() command {
	return command{
		name: "watch", arg: "[UNIT[:NUMBER]]",
		short: "follow a rollout to its end, a train, or all that run",
		long: `Shows every stage, every check with its newest number, and what the rollout waits for.
A terminal shows one picture that is redrawn; elsewhere each change is a line, with
--output json a JSON object.

Without UNIT it shows all rollouts that run, the worst first: since when, why, the check
that stands worst, what ends it and what to type, until none runs.

UNIT with releases in a train shows the train, until nothing is under way or a person has to
take something back, and exits as the newest rollout has ended (5: something is not back).
UNIT:NUMBER is one of its rollouts.

While a bake goes on, a check is "ok so far" or "suspicious"; PASS is the gate's word.
It exits with the rollout's exit code. Ctrl-C stops the watching, not the rollout, and
exits with 7.`,
		example: "sluice watch edge-proxy --timeout 30m",
		flags:   []cli.Flag{timeoutFlag(), runIDFlag()},
		remote:  true,
		run:     watch,
	}
}

func timeoutFlag() cli.Flag {
	return &cli.StringFlag{Name: "timeout", Usage: "stop watching after `DURATION`, such as 90s or 2h; the rollout goes on (exit code 7)"}
}

func runIDFlag() cli.Flag {
	return &cli.StringFlag{Name: "run-id", Usage: "the `RUN` to show, one of sluice list --output json (default: the newest)"}
}

// timeoutOf reads --timeout; 0 when it is not given.
func timeoutOf(c *cli.Context) (time.Duration, error) {
	text := c.String("timeout")
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, usagef("--timeout %q is not a duration, expected one such as 90s, 30m or 2h", text)
	}
	return d, nil
}

func watch(ctx context.Context, con *console, c *cli.Context) error {
	timeout, err := timeoutOf(c)
	if err != nil {
		return err
	}
	r, err := dial(ctx, con, c)
	if err != nil {
		return err
	}
	defer r.client.Close()
	unit := c.Args().First()
	if unit == "" {
		return watchAll(ctx, con, c, r, timeout)
	}
	if c.String("run-id") == "" && r.inTrain(ctx, unit) {
		code, err := (&trainFollower{remote: r, con: con, unit: unit, timeout: timeout}).follow(ctx)
		return cmp.Or(err, ended(code))
	}
	f := follower{remote: r, unit: unit, runID: c.String("run-id"), timeout: timeout, observer: observerFor(con)}
	last, err := f.follow(ctx)
	if err != nil {
		con.compact = true // in JSON, after a stream of lines
		return err
	}
	return ended(last.exitCode())
}

// watchAll follows every rollout that runs.
func watchAll(ctx context.Context, con *console, c *cli.Context, r *remote, timeout time.Duration) error {
	if c.String("run-id") != "" {
		return usagef("--run-id is a run of one unit: name the UNIT")
	}
	code, err := (&overview{remote: r, con: con, timeout: timeout}).follow(ctx)
	if err != nil {
		return err
	}
	return ended(code)
}
