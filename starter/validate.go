package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/terminal"
)

func validateCommand() command {
	return command{
		name: "validate", args: "SPEC", min: 1, max: 1,
		short: "check a spec and its fleet file, and list every problem",
		long: `Reads a spec (- is standard input) and the fleet file that it names, relative to
the spec's folder, and plans the rollout. Every problem is listed at once, as
file:line:column: what is wrong, what was expected. Nothing is started, and no
server is needed.`,
		example: "sluice validate rollout.yaml",
		run: func(_ context.Context, con *console, c *cli.Context) error {
			l, err := load(con, c.Args().First())
			if err != nil {
				return err
			}
			if con.json {
				return con.object(map[string]any{
					"ok": true, "unit": l.spec.Unit, "release": l.spec.Release,
					"targets": len(l.plan.Order), "stages": len(l.plan.Stages), "checks": len(l.spec.Health.Checks),
				})
			}
			return con.lines([]string{fmt.Sprintf("ok: %s %s, %s in %s, %s", terminal.Safe(l.spec.Unit), terminal.Safe(l.spec.Release),
				plural(len(l.plan.Order), "target"), plural(len(l.plan.Stages), "stage"), plural(len(l.spec.Health.Checks), "check"))})
		},
	}
}
