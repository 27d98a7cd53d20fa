// Command nginx takes six real nginx through seven releases: a good one, and one each that answers
// errors, answers nobody on one host, listens on a wrong port in the last stage, is slow, fails on
// one host of six, and is refused by nginx. It counts what clients got meanwhile. README.md shows
// it.
package main

import (
	"context"
	"io"

	"github.com/sluicehq/sluice/internal/lab/edges"
)

func main() {
	edges.Main("nginx", func(ctx context.Context, s edges.Settings, out io.Writer) (edges.Site, error) {
		return bringUp(ctx, s, out)
	})
}
