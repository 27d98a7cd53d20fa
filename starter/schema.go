package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/spec"
)

func schemaCommand() command {
	return command{
		name: "schema", short: "print the JSON Schema of a spec",
		long: `Prints the JSON Schema with which editors complete and check a spec. Name it in the
first line of the spec:

   # yaml-language-server: $schema=sluice.schema.json`,
		example: "sluice schema > sluice.schema.json",
		run: func(_ context.Context, con *console, _ *cli.Context) error {
			_, err := con.out.Write(spec.Schema())
			return err
		},
	}
}
