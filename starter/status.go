package main

import (
	"context"

	"github.com/urfave/cli/v2"
)

func statusCommand() command {
	return command{
		name: "status", arg: "UNIT[:NUMBER]",
		short: "show a rollout as it is now",
		long: `Prints once what watch shows: the unit's newest rollout, or the one of --run-id. The
exit code is 0, whatever became of the rollout.`,
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
