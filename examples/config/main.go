// Command config takes the configuration of twelve real nginx, with an agent each, through a dozen
// releases: good ones, one that a single host's nginx refuses, one that breaks a fifth of the
// requests, one that sleeps until a flag wakes it, and a file of features that doubles. It counts
// what clients got meanwhile. README.md shows it.
package main

import (
	"context"
	"io"

	"github.com/sluicehq/sluice/internal/lab/edges"
)

func main() {
	edges.Main("config", func(ctx context.Context, s edges.Settings, out io.Writer) (edges.Site, error) {
		return bringUp(ctx, s, out)
	})
}
