// Command sluice-worker runs rollouts: it executes their workflows and their activities. Run as
// many as availability asks for; they share one store.
package main

import (
	"context"
	"io"
	"log"

	"github.com/sluicehq/sluice/internal/entry"
)

func main() {
	// Worker code logs with zap. What is left is net/http, which repeats there what a target sends
	// unasked, be it a token that it was given.
	log.SetOutput(io.Discard)
	entry.Main("sluice-worker", run)
}

// run parses the flags and works until ctx ends.
func run(ctx context.Context, args []string, _, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	return work(ctx, o)
}
