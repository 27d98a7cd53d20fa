// Command config takes the configuration of twelve real nginx, with an agent each, through five releases: a first one, a good
// one, one that a single host's nginx refuses, and one that breaks a fifth of the requests, twice: the second time the store is
// deleted before the rollback. It counts what clients got meanwhile. README.md shows it.
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
