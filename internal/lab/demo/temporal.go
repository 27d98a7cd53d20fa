package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/internal/lab/stack"
)

// addressVariable names a Temporal server of the user's own, as for the temporal CLI.
const addressVariable = "TEMPORAL_ADDRESS"

// joinedNamespace is where the demo works on a server that is not its own: no rollout and no worker
// of the user is there.
const joinedNamespace = "sluice-demo"

// server is where Temporal comes from.
type server struct {
	what  string // said before it is started
	build bool   // it has to be compiled first, or may be out of date
	ours  bool   // it may be killed
	start func(*stack.Stack, context.Context) error
}

// choose takes the user's server where there is one, then what starts fastest.
func choose(s settings) server {
	if address := os.Getenv(addressVariable); address != "" && s.join {
		return server{
			what: fmt.Sprintf("Using the Temporal server at %s (%s), in its namespace %s. It is yours, so it is not killed; "+
				"the worker is.", address, addressVariable, joinedNamespace),
			start: func(st *stack.Stack, ctx context.Context) error {
				st.UI = os.Getenv("SLUICE_UI")
				if err := st.Join(ctx, address, joinedNamespace); err != nil {
					return fmt.Errorf("use %s=%s (unset it, and the demo starts a server of its own): %w", addressVariable, address, err)
				}
				return nil
			},
		}
	}
	embedded := server{what: "Starting the embedded Temporal server.", build: true, ours: true, start: (*stack.Stack).StartTemporal}
	if s.postgres {
		embedded.start = (*stack.Stack).StartOnPostgres
		return embedded
	}
	if _, err := os.Stat(s.bin.Devstack); !errors.Is(err, fs.ErrNotExist) {
		return embedded
	}
	if program, err := exec.LookPath("temporal"); err == nil {
		return server{
			what: fmt.Sprintf("Starting Temporal with %s server start-dev.", program), ours: true,
			start: func(st *stack.Stack, ctx context.Context) error { return st.StartCLI(ctx, program) },
		}
	}
	return embedded
}

// begin compiles the server where that is needed, with meanwhile in the time that it takes, and
// starts it.
func (s server) begin(ctx context.Context, st *stack.Stack, command string, say func(string, ...any), meanwhile func() error) error {
	if s.build && command != "" {
		if err := build(ctx, st, command, say, meanwhile); err != nil {
			return err
		}
	}
	say("%s", s.what)
	return s.start(st, ctx)
}

const (
	// buildQuiet is how long nothing is said of a build: most find that there is nothing to do.
	buildQuiet = 2 * time.Second
	// buildEvery is how often it is told of afterwards.
	buildEvery = 30 * time.Second
)

// build runs the command that compiles the embedded server. When that takes long it says so, does
// meanwhile in the time, and goes on telling.
func build(ctx context.Context, st *stack.Stack, command string, say func(string, ...any), meanwhile func() error) error {
	p, err := st.NewProcess("build", "/bin/sh", "-c", "exec "+command)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := p.Start(); err != nil {
		return err
	}
	defer p.Stop()
	for wait, first := buildQuiet, true; ; wait, first = buildEvery, false {
		limited, cancel := context.WithTimeout(ctx, wait)
		how, err := p.Ended(limited)
		cancel()
		switch {
		case err == nil && how == "exit status 0":
			return nil
		case err == nil:
			log := filepath.Join(st.Dir, p.Name()+".log")
			return fmt.Errorf("compile the embedded Temporal server: %s, and %s ends with\n%s", how, log, stack.LastLines(log))
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !first:
			say("%s: the Temporal server is still being compiled.", time.Since(began).Round(time.Second))
			continue
		}
		say("The embedded Temporal server is compiled now, once: %s", elsewhere)
		say("It is not needed where a temporal CLI is in PATH, or %s names a server.", addressVariable)
		if err := meanwhile(); err != nil {
			return err
		}
	}
}

// elsewhere is how long compiling takes on a machine that is known.
const elsewhere = "3 to 6 minutes on 2 cores, less on more."
