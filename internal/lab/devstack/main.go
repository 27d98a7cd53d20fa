// Command devstack runs what Sluice needs from Temporal in one process, for development,
// demonstrations and tests: the server with its history in one SQLite file or in PostgreSQL, and
// the Web UI. It is a module of its own, so that the server's several hundred dependencies stay out
// of Sluice's own go.sum.
//
// It is not for production: few history shards, one process, no authentication, loopback only
// unless told otherwise.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
)

// options are the command line, decoded and checked.
type options struct {
	db             string     // the SQLite file; created when absent. Either this or postgres
	postgres       string     // URL of a PostgreSQL database; created when absent
	ip             netip.Addr // where Temporal and the Web UI listen
	port, uiPort   int        // 0 chooses a free one
	pprofPort      int        // of Go's profiles, on loopback; 0: none
	readyFile      string     // empty: none is written
	logLevel       string     // of the server's own log, on stderr
	exitWithParent bool
}

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "devstack: %v\n", err)
		os.Exit(1)
	}
}

// run is main without its globals: it serves until ctx is done and returns nil after a graceful
// stop.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "--version" {
		_, err := fmt.Fprintln(stdout, "devstack", version)
		return err
	}
	opts, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	if opts.exitWithParent {
		var cancel context.CancelFunc
		ctx, cancel = withParent(ctx, os.Getppid())
		defer cancel()
	}
	return serve(ctx, opts, stdout)
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var opts options
	flags := flag.NewFlagSet("devstack", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.db, "db", "", "SQLite `FILE` with Temporal's state; created when absent, continued otherwise")
	flags.StringVar(&opts.postgres, "postgres", "", "instead of --db, `URL` of a PostgreSQL database: "+
		"postgres://user@host:5432/temporal, or with ?host=/folder of a Unix socket. "+
		"Created when absent, and NAME_visibility too. The password is taken from "+passwordVariable)
	ip := flags.String("ip", "127.0.0.1", "`ADDRESS` to listen on; there is no authentication, so keep it on loopback")
	flags.IntVar(&opts.port, "port", 7233, "`PORT` of Temporal's gRPC API; 0 chooses a free one")
	flags.IntVar(&opts.uiPort, "ui-port", 8233, "`PORT` of the Web UI; 0 chooses a free one")
	flags.IntVar(&opts.pprofPort, "pprof-port", 0, "`PORT` of Go's profiles on loopback, /debug/pprof; 0 serves none")
	flags.StringVar(&opts.readyFile, "ready-file", "", "`FILE` written once the server answers: {\"address\":…,\"ui\":…,\"pid\":…}")
	flags.StringVar(&opts.logLevel, "log-level", defaultLogLevel, "`LEVEL` of the server's log on stderr: debug, info, warn or error")
	flags.BoolVar(&opts.exitWithParent, "exit-with-parent", false, "stop when the process that started this one is gone")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q: everything is a flag, see --help", flags.Arg(0))
	}
	if err := opts.checkDatabase(); err != nil {
		return options{}, err
	}
	var err error
	if opts.ip, err = netip.ParseAddr(*ip); err != nil {
		return options{}, fmt.Errorf("--ip %q is not an IP address: use 127.0.0.1 or ::1", *ip)
	}
	for name, port := range map[string]int{"port": opts.port, "ui-port": opts.uiPort, "pprof-port": opts.pprofPort} {
		if port < 0 || port > 65535 {
			return options{}, fmt.Errorf("--%s %d is not a port: use 0 to 65535", name, port)
		}
	}
	if _, ok := logLevels()[opts.logLevel]; !ok {
		return options{}, fmt.Errorf("--log-level %q is unknown: use debug, info, warn or error", opts.logLevel)
	}
	return opts, nil
}

func (o options) checkDatabase() error {
	switch {
	case o.db != "" && o.postgres != "":
		return errors.New("--db and --postgres exclude each other: name one place for Temporal's state")
	case o.postgres != "":
		_, err := postgresConfig(o.postgres, "")
		return err
	case o.db == "":
		return errors.New("--db is missing: name the file that Temporal's state is kept in, such as --db .sluice/temporal.db, " +
			"or a database with --postgres")
	default:
		return nil
	}
}
