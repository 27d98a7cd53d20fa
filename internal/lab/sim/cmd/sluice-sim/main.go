// Command sluice-sim runs a simulated fleet on loopback until it is interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/renameio/v2"

	"github.com/sluicehq/sluice/internal/entry"
	"github.com/sluicehq/sluice/internal/lab/sim"
	"github.com/sluicehq/sluice/internal/secret"
)

func main() { entry.Main("sluice-sim", run) }

// run starts the fleet, tells where it is, and waits for ctx to end.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o sim.Options
	flags := entry.Flags("sluice-sim", stderr)
	flags.IntVar(&o.Targets, "targets", 60, "how many targets")
	flags.Uint64Var(&o.Seed, "seed", 1, "chooses the noise in the traffic")
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:0", "`host:port` to listen on; port 0 takes a free one. "+
		"Anybody who reaches it can change the fleet, so keep it on loopback")
	flags.Float64Var(&o.RPS, "rps-per-target", 20, "requests per second that each target gets")
	flags.StringVar(&o.Unit, "unit", "demo", "the unit that the targets run")
	flags.StringVar(&o.Release, "release", "1.0.0", "the release that they run at first")
	flags.StringVar(&o.StateDir, "state-dir", "", "`folder` from which a later run continues; it may be killed")
	flags.DurationVar(&o.Delay, "delay", 0, "how late every target answers orders and questions")
	fleetFile := flags.String("fleet-file", "", "`file` to write the fleet to")
	readyFile := flags.String("ready-file", "", "`file` to write the base URL to, once everything answers")
	token := flags.String("token", "", "demand this bearer token with orders; a `reference`: ${env:NAME} or file:/path")
	if err := entry.Parse(flags, args); err != nil {
		return err
	}
	if o.Targets < 1 || o.RPS <= 0 { // for the package, 0 is the default
		return errors.New("--targets and --rps-per-target must be above 0")
	}
	if *token != "" {
		s, err := secret.Resolve(*token)
		if err != nil {
			return fmt.Errorf("--token: %w", err)
		}
		o.Token = s.Reveal()
	}
	f, err := sim.Start(ctx, o)
	if err != nil {
		return err
	}
	if err := announce(f, *fleetFile, *readyFile); err != nil {
		return errors.Join(err, f.Close())
	}
	fmt.Fprintf(stdout, "%d targets of %s at %s\n", o.Targets, o.Unit, f.URL())
	<-ctx.Done()
	return f.Close()
}

// announce writes the files that others wait for, the ready file last.
func announce(f *sim.Fleet, fleetFile, readyFile string) error {
	if fleetFile != "" {
		if err := renameio.WriteFile(fleetFile, f.FleetFile(), 0o644); err != nil {
			return fmt.Errorf("--fleet-file: %w", err)
		}
	}
	if readyFile != "" {
		if err := renameio.WriteFile(readyFile, []byte(f.URL()+"\n"), 0o644); err != nil {
			return fmt.Errorf("--ready-file: %w", err)
		}
	}
	return nil
}
