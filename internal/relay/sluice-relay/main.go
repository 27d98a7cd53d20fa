// Command sluice-relay carries orders to agents that nobody can reach from outside; docs/agent.md
// says how.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"github.com/sluicehq/sluice/internal/entry"
	"github.com/sluicehq/sluice/internal/relay"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/internal/terminal"
)

func main() { entry.Main("sluice-relay", run) }

// run serves until ctx ends.
func run(ctx context.Context, args []string, _, stderr io.Writer) error {
	flags := entry.Flags("sluice-relay", stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, "Carry signed orders to agents that nobody can reach from outside, and their reports back.\n\n"+
			"Example: sluice-relay --folder /var/lib/sluice-relay --listen :7312 --cert r.pem --key r.key \\\n"+
			"           --agent-token file:/etc/sluice/agents --worker-token file:/etc/sluice/workers\n\n")
		flags.PrintDefaults()
	}
	var o relay.Options
	folder := flags.String("folder", "/var/lib/sluice-relay", "`folder` of orders and reports")
	at := flags.String("store", "", "`folder` of bundles: a worker's content store, or one of its own (default FOLDER/store)")
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:7312", "`address` to listen on")
	flags.StringVar(&o.AgentToken, "agent-token", "", "`reference` to the token that agents show: file:/path or ${env:NAME}")
	flags.StringVar(&o.WorkerToken, "worker-token", "", "`reference` to the token that workers show, another one")
	flags.StringVar(&o.Cert, "cert", "", "`file` with the certificate with which to serve https")
	flags.StringVar(&o.Key, "key", "", "`file` with its key")
	flags.StringVar(&o.ClientCA, "client-ca", "",
		"`file` with who signs the certificates that agents must show, each with its id as common name")
	if err := entry.Parse(flags, args); err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		return err
	}
	if *at == "" {
		*at = filepath.Join(*folder, "store")
	}
	bundles, err := store.Dir(*at)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(terminal.Writer(stderr), nil))
	return relay.New(*folder, bundles, log).Serve(ctx, o, func(address string) {
		log.Info("relay is ready", "version", entry.Version(), "address", address)
	})
}
