// Command haproxy takes real edge programs through real rollouts: a dozen HAProxies with traffic on
// them and a Prometheus beside them. A good release is promoted, one that answers 503 on a route
// comes back by itself, and one that HAProxy refuses never reaches a live process. README.md shows
// it.
package main

import (
	"context"
	"io"

	"github.com/sluicehq/sluice/internal/lab/edges"
)

func main() {
	edges.Main("haproxy", func(ctx context.Context, s edges.Settings, out io.Writer) (edges.Site, error) {
		return bringUp(ctx, s, out)
	})
}
