package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/terminal"
)

func validateCommand() command {
	return command{
		name: "validate", arg: "SPEC",
		short: "check a spec and its fleet file, and list every problem",
		long: `Reads a spec and the fleet file that it names, and plans the rollout. It lists every
problem at once, as file:line:column: what is wrong, what was expected. It runs the
validators of a bundle. It starts nothing and needs no server. SPEC may be - for standard
input.

A fleet that the worker lists (by a command or a query) is not listed here; sluice
plan lists it.`,
		example: "sluice validate rollout.yaml",
		flags:   accessFlags(),
		run: func(ctx context.Context, con *console, c *cli.Context) error {
			l, err := load(ctx, con, c)
			if err != nil {
				return err
			}
			defer l.close()
			if err := l.fit(ctx); err != nil {
				return err
			}
			if con.json {
				return con.object(valid(l))
			}
			err = con.lines([]string{validText(l)})
			if err == nil && l.spec.Fleet.Listed() {
				con.say("the fleet was not checked: the worker lists it when the rollout starts; sluice plan lists it from here")
			}
			return err
		},
	}
}

// validText is the answer of validate in words.
func validText(l loaded) string {
	where := plural(len(l.plan.Order), "target") + " in "
	if l.spec.Fleet.Listed() {
		where = ""
	}
	return fmt.Sprintf("ok: %s %s, %s%s, %s", terminal.Safe(l.spec.Unit), terminal.Safe(releaseWords(l.spec.Release, l.spec.Version)),
		where, plural(len(l.spec.Stages), "stage"), plural(len(l.spec.Health.Checks), "check"))
}

// valid is the answer of validate as an object. The targets of a fleet that the worker lists are
// not known.
func valid(l loaded) map[string]any {
	out := map[string]any{
		"ok": true, "unit": l.spec.Unit, "release": l.spec.Release,
		"stages": len(l.spec.Stages), "checks": len(l.spec.Health.Checks),
	}
	if l.spec.Fleet.Listed() {
		out["listed"] = true
	} else {
		out["targets"] = len(l.plan.Order)
	}
	return out
}
