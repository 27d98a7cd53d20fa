package main

import (
	"context"

	"github.com/urfave/cli/v2"
)

func explainCommand() command {
	return command{
		name: "explain", args: "UNIT", min: 1, max: 1,
		short: "tell why a rollout was promoted, held or taken back",
		long: `Tells what was decided at every gate and on what evidence, who stepped in, and
what became of every target that was touched. Comparisons are drawn: how both arms
did, up to the decision. It needs no worker once the rollout has ended.`,
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
