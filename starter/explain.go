package main

import (
	"context"

	"github.com/urfave/cli/v2"
)

func explainCommand() command {
	return command{
		name: "explain", arg: "UNIT",
		short: "tell why a rollout was promoted, held or taken back",
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
