package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/entry"
)

// options are the worker's flags.
type options struct {
	address, namespace, profile string
	deployment                  connect.Deployment
	store                       string
	listen                      listener
	logFormat, logLevel         string
	activities                  int
	linkLocal                   bool
}

// parse reads the flags; nothing is accepted that is not known.
func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	fs := entry.Flags("sluice-worker", stderr)
	fs.Usage = func() {
		fmt.Fprint(stderr, "Run Sluice's rollouts.\n\nExample: sluice-worker --address 127.0.0.1:7233 --store /var/lib/sluice\n\n")
		fs.PrintDefaults()
	}
	fs.StringVar(&o.address, "address", "", "Temporal server, host:port (default: TEMPORAL_ADDRESS, the profile, or 127.0.0.1:7233)")
	fs.StringVar(&o.namespace, "namespace", "", "Temporal namespace (default: TEMPORAL_NAMESPACE, the profile, or default)")
	fs.StringVar(&o.profile, "profile", "", "profile of Temporal's configuration file")
	fs.StringVar((*string)(&o.deployment), "deployment", "",
		"`name` of this Sluice among several in the namespace; sluice --deployment names the same (default: the only one)")
	fs.StringVar(&o.store, "store", cmp.Or(os.Getenv("SLUICE_STORE"), ".sluice/store"),
		"`folder` of the content store; all workers of a deployment share it")
	fs.StringVar(&o.listen.address, "listen", "127.0.0.1:9300",
		"`address` of /metrics and /healthz; empty for none. One that is not on loopback needs --listen-token or --listen-client-ca")
	fs.StringVar(&o.listen.token, "listen-token", "", "ask readers for a bearer token; a `reference`: ${env:NAME} or file:/path")
	fs.StringVar(&o.listen.cert, "listen-cert", "", "`file` of the certificate with which to serve TLS")
	fs.StringVar(&o.listen.key, "listen-key", "", "`file` of its key")
	fs.StringVar(&o.listen.clientCA, "listen-client-ca", "", "`file` of the authorities whose certificates readers must have")
	fs.BoolVar(&o.linkLocal, "allow-link-local", false, "connect to link-local and cloud metadata addresses, too")
	fs.StringVar(&o.logFormat, "log-format", "console", "console or json")
	fs.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	fs.IntVar(&o.activities, "max-activities", 10_000, "activities at once; every baking rollout needs one")
	if err := entry.Parse(fs, args); err != nil {
		return o, err
	}
	return o, o.validate()
}

func (o options) validate() error {
	if o.store == "" {
		return errors.New("--store is empty, expected a folder")
	}
	if o.activities < 1 {
		return fmt.Errorf("--max-activities is %d, expected at least 1", o.activities)
	}
	if err := o.deployment.Check(); err != nil {
		return fmt.Errorf("--deployment: %w", err)
	}
	return o.listen.validate()
}
