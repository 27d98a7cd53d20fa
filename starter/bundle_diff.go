package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/bundle/diff"
)

const (
	// diffLines is how many lines bundle diff shows unless it is asked for others, and maxDiffLines
	// how many at most.
	diffLines, maxDiffLines = 200, 100_000
)

func bundleDiffCommand() command {
	return command{
		name: "bundle diff", arg: "OLD NEW",
		short: "show how the files of two bundles differ",
		long: `OLD and NEW are folders, or bundles in a store. JSON and YAML files are compared value by
value (+ added, - removed, ~ changed, each with its JSON pointer), other texts line by
line, the rest by size and digest. It exits with 0 also where they differ.`,
		example: "sluice bundle diff sha256:1f2a… ./features --store .sluice/store",
		flags: []cli.Flag{
			storeFlag("of the content store that has them"),
			&cli.IntFlag{Name: "lines", Value: diffLines, Usage: "show at most `N` lines, 1 to 100000"},
		},
		run: func(ctx context.Context, con *console, c *cli.Context) error {
			most := c.Int("lines")
			if most < 1 || most > maxDiffLines {
				return usagef("bundle diff: --lines is %d, expected 1 to %d", most, maxDiffLines)
			}
			a, err := openBundle(ctx, c.Args().Get(0), c.String("store"))
			if err != nil {
				return err
			}
			defer a.close()
			b, err := openBundle(ctx, c.Args().Get(1), c.String("store"))
			if err != nil {
				return err
			}
			defer b.close()
			files, err := differences(a, b, most)
			if err != nil {
				return err
			}
			lines := diff.Text(files, most)
			if len(files) == 0 {
				lines = []string{"no difference"}
			}
			return con.answer(map[string]any{"old": a.Release(), "new": b.Release(), "files": files}, lines)
		},
	}
}

// differences compares two bundles.
func differences(a, b openedBundle, most int) ([]diff.File, error) {
	old, new, err := readBoth(a, b, diff.Compared(a.Bundle, b.Bundle))
	if err != nil {
		return nil, err
	}
	return append([]diff.File{}, diff.Files(old, new, most)...), nil
}
