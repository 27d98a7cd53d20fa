// Command sluice-agent keeps configurations of programs on one machine; docs/agent.md says how.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"

	"github.com/sluicehq/sluice/internal/agent"
	"github.com/sluicehq/sluice/internal/entry"
	"github.com/sluicehq/sluice/internal/terminal"
)

func main() { entry.Main("sluice-agent", run) }

// run reads the settings and serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := entry.Flags("sluice-agent", stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, "Keep the configurations of this machine's programs.\n\nExample: sluice-agent --config /etc/sluice/agent.yaml\n\n")
		flags.PrintDefaults()
	}
	path := flags.String("config", "/etc/sluice/agent.yaml", "`file` with the settings")
	check := flags.Bool("check", false, "only say what is wrong with the settings")
	if err := entry.Parse(flags, args); err != nil {
		return err
	}
	data, err := os.ReadFile(*path)
	if err != nil {
		return err
	}
	config, err := agent.Parse(*path, data)
	if err != nil {
		return fmt.Errorf("the settings:\n%w", err)
	}
	if *check {
		fmt.Fprintf(stdout, "%s is valid: %d units\n", *path, len(config.Units))
		return nil
	}
	// Consumers that run as others read what is unpacked, whatever the mask was.
	syscall.Umask(0o022)
	log := slog.New(slog.NewTextHandler(terminal.Writer(stderr), nil))
	a, err := agent.Open(config, log)
	if err != nil {
		return err
	}
	return a.Serve(ctx, func(address string) {
		log.Info("agent is ready", "version", entry.Version(), "id", config.ID, "address", address, "units", len(config.Units))
	})
}
