package main

import (
	"context"

	"github.com/urfave/cli/v2"
)

func statusCommand() command {
	return command{
		name: "status", args: "UNIT", min: 1, max: 1,
		short: "show a rollout as it is now",
		long: `Prints the state of a unit's newest rollout once: what watch shows, without
waiting. The exit code is 0 whatever the state; watch exits with the outcome's.`,
		example: "sluice status edge-proxy --output json",
		flags:   []cli.Flag{runIDFlag()},
		remote:  true,
		run: func(ctx context.Context, con *console, c *cli.Context) error {
			return lookOnce(ctx, con, c, func(v view) []string {
				return tree(v, con.now(), con.width(), con.paint)
			})
		},
	}
}
