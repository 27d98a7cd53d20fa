package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/simulate/outages"
	"github.com/sluicehq/sluice/internal/spec"
)

func schemaCommand() command {
	return command{
		name: "schema", arg: "[outage]", short: "print the JSON Schema of a spec, or of an outage for simulate",
		long: `Prints the JSON Schema with which editors complete and check a spec. Name it in the
first line of the spec:

   # yaml-language-server: $schema=sluice.schema.json`,
		example: "sluice schema > sluice.schema.json",
		run: func(_ context.Context, con *console, c *cli.Context) error {
			out := spec.Schema()
			switch of := c.Args().First(); of {
			case "":
			case "outage":
				out = outages.Schema()
			default:
				return usagef("schema: %q has no schema, expected outage, or nothing for that of a spec", of)
			}
			_, err := con.out.Write(out)
			return err
		},
	}
}
