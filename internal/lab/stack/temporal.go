package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/pause"
)

// startPatience is how long a server may take until it answers.
const startPatience = time.Minute

// StartTemporal starts the embedded server on a SQLite file.
func (s *Stack) StartTemporal(ctx context.Context) error {
	return s.startDevstack(ctx, "--db", filepath.Join(s.Dir, "temporal.db"))
}

// StartOnPostgres starts the embedded server on a PostgreSQL cluster of its own. It needs PostgreSQL's programs.
func (s *Stack) StartOnPostgres(ctx context.Context) error {
	f, err := logFile(s.Dir, "postgres")
	if err != nil {
		return err
	}
	s.logs = append(s.logs, f)
	if s.Postgres, err = startPostgres(ctx, f); err != nil {
		return err
	}
	return s.startDevstack(ctx, "--postgres", s.Postgres.URL)
}

// startDevstack starts the embedded server on ports that it chooses, and keeps them for the next start.
func (s *Stack) startDevstack(ctx context.Context, database ...string) error {
	begin := func(ctx context.Context, port, uiPort string) error {
		return s.devstack(ctx, append(slices.Clone(database), "--port", port, "--ui-port", uiPort))
	}
	s.again = func(ctx context.Context) error {
		_, port, err := net.SplitHostPort(s.Address)
		if err != nil {
			return err
		}
		ui, err := url.Parse(s.UI)
		if err != nil {
			return err
		}
		return begin(ctx, port, ui.Port())
	}
	return begin(ctx, "0", "0")
}

// devstack starts the embedded server and waits until it answers.
func (s *Stack) devstack(ctx context.Context, flags []string) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	ready := filepath.Join(s.Dir, "temporal.ready")
	if err := os.RemoveAll(ready); err != nil {
		return err
	}
	if err := s.startProcess(s.bin.Devstack, append(flags, "--ready-file", ready, "--exit-with-parent")); err != nil {
		return err
	}
	data, err := s.Temporal.AwaitFile(ctx, ready)
	if err != nil {
		return err
	}
	var info struct{ Address, UI string }
	if err := json.Unmarshal(data, &info); err != nil {
		return fmt.Errorf("read %s: %w", ready, err)
	}
	s.Address, s.UI = info.Address, info.UI
	return nil
}

// startProcess runs a server as this stack's Temporal.
func (s *Stack) startProcess(program string, args []string) error {
	var err error
	if s.Temporal, err = s.NewProcess("temporal", program, args...); err != nil {
		return err
	}
	return s.Temporal.Start()
}

// StartCLI starts the development server of the temporal CLI, on a SQLite file.
func (s *Stack) StartCLI(ctx context.Context, program string) error {
	port, err := FreePort(ctx)
	if err != nil {
		return err
	}
	uiPort, err := FreePort(ctx)
	if err != nil {
		return err
	}
	s.Address, s.UI = Loopback(port), "http://"+Loopback(uiPort)
	args := []string{
		"server", "start-dev", "--port", strconv.Itoa(port), "--ui-port", strconv.Itoa(uiPort), "--log-level", "error",
		"--db-filename", filepath.Join(s.Dir, "temporal.db"), "--namespace", s.Namespace,
	}
	for _, name := range connect.Attributes() {
		args = append(args, "--search-attribute", name+"=Keyword")
	}
	s.again = func(ctx context.Context) error {
		if err := s.startProcess(program, args); err != nil {
			return err
		}
		return s.awaitServer(ctx)
	}
	return s.again(ctx)
}

// awaitServer waits until the server answers that this stack has started.
func (s *Stack) awaitServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		c, err := connect.Dial(ctx, connect.Options{Address: s.Address, Namespace: s.Namespace})
		if err == nil {
			c.Close()
			return nil
		}
		if !s.Temporal.Running() {
			return fmt.Errorf("%s ended before it was ready, see its log", s.Temporal.Name())
		}
		if pause.For(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("%s was not ready in time: %w", s.Temporal.Name(), err)
		}
	}
}

// RestartTemporal starts Temporal again, on the same ports and database.
func (s *Stack) RestartTemporal(ctx context.Context) error { return s.again(ctx) }
