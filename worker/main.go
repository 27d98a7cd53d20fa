// Command sluice-worker runs rollouts: it executes their workflows and their
// activities. Run as many as availability asks for; they share one store.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker for a release: -ldflags "-X main.version=…".
var version = "dev"

func main() {
	// Worker code logs with zap. What is left is net/http, which repeats there what a
	// target sends unasked, be it a token that it was given.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "sluice-worker:", err)
		}
		stop()
		os.Exit(2)
	}
}

// run parses the flags and works until ctx ends.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	return work(ctx, o)
}
