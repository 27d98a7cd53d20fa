package stack

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Binaries are the programs' paths.
type Binaries struct {
	// Dir holds sluice, sluice-worker and sluice-sim.
	Dir string
	// Devstack is the embedded Temporal server.
	Devstack string
}

// Flags adds the flags that say where the programs are.
func (b *Binaries) Flags(fs *flag.FlagSet) {
	fs.StringVar(&b.Dir, "bin", "bin", "`folder` of sluice, sluice-worker and sluice-sim")
	fs.StringVar(&b.Devstack, "devstack", ".local/bin/devstack", "the embedded Temporal server")
}

// Folder answers the absolute path of a folder for a run, and creates it. Where none is
// named it is a temporary one whose name begins with prefix.
func Folder(dir, prefix string) (string, error) {
	if dir == "" {
		made, err := os.MkdirTemp("", prefix)
		if err != nil {
			return "", err
		}
		dir = made
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// Stack is a running deployment. Close it.
type Stack struct {
	Temporal *Process
	Postgres *Postgres // nil: Temporal keeps a SQLite file
	Sim      *Process
	Workers  []*Process
	// Address and UI are Temporal's; SimURL is the fleet's.
	Address, UI, SimURL string
	// Dir holds databases, logs, the store and the fleet file.
	Dir string

	bin   Binaries
	state []string // Temporal's flags for where its state is
	logs  []*os.File
}

// FleetFile is where the simulated fleet writes its inventory.
func (s *Stack) FleetFile() string { return filepath.Join(s.Dir, "fleet.yaml") }

// Start starts Temporal only, keeping everything in dir.
func Start(ctx context.Context, bin Binaries, dir string) (*Stack, error) {
	s := &Stack{Dir: dir, bin: bin, state: []string{"--db", filepath.Join(dir, "temporal.db")}}
	return s.start(ctx)
}

// StartOnPostgres is Start with a PostgreSQL cluster of its own below Temporal. It needs PostgreSQL's programs.
func StartOnPostgres(ctx context.Context, bin Binaries, dir string) (*Stack, error) {
	s := &Stack{Dir: dir, bin: bin}
	f, err := logFile(dir, "postgres")
	if err != nil {
		return nil, err
	}
	s.logs = append(s.logs, f)
	if s.Postgres, err = startPostgres(ctx, f); err != nil {
		s.Close()
		return nil, err
	}
	s.state = []string{"--postgres", s.Postgres.URL}
	return s.start(ctx)
}

// start starts Temporal, or closes the stack.
func (s *Stack) start(ctx context.Context) (*Stack, error) {
	ports := []string{"--port", "0", "--ui-port", "0"} // it knows ports that nobody else is given
	if err := s.startTemporal(ctx, ports...); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// startTemporal starts the server and waits until it answers.
func (s *Stack) startTemporal(ctx context.Context, ports ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ready := filepath.Join(s.Dir, "temporal.ready")
	if err := os.RemoveAll(ready); err != nil {
		return err
	}
	args := slices.Concat(s.state, []string{"--ready-file", ready, "--exit-with-parent"}, ports)
	var err error
	if s.Temporal, err = s.NewProcess("temporal", s.bin.Devstack, args...); err != nil {
		return err
	}
	if err := s.Temporal.Start(); err != nil {
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

// RestartTemporal starts Temporal again, on the same ports and database.
func (s *Stack) RestartTemporal(ctx context.Context) error {
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return err
	}
	ui, err := url.Parse(s.UI)
	if err != nil {
		return err
	}
	return s.startTemporal(ctx, "--port", port, "--ui-port", ui.Port())
}

// Simulate starts a simulated fleet and waits until it serves.
func (s *Stack) Simulate(ctx context.Context, targets int, unit, release string, flags ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ready := filepath.Join(s.Dir, "sim.ready")
	if err := os.RemoveAll(ready); err != nil {
		return err
	}
	args := append([]string{
		"--targets", fmt.Sprint(targets), "--unit", unit, "--release", release,
		"--fleet-file", s.FleetFile(), "--ready-file", ready,
	}, flags...)
	var err error
	if s.Sim, err = s.NewProcess("sim", filepath.Join(s.bin.Dir, "sluice-sim"), args...); err != nil {
		return err
	}
	if err := s.Sim.Start(); err != nil {
		return err
	}
	address, err := s.Sim.AwaitFile(ctx, ready)
	s.SimURL = strings.TrimSpace(string(address))
	return err
}

// Worker starts one more worker, on the stack's store, with more flags.
func (s *Stack) Worker(flags ...string) (*Process, error) {
	w, err := s.NewProcess(fmt.Sprintf("worker-%d", len(s.Workers)+1), filepath.Join(s.bin.Dir, "sluice-worker"),
		append([]string{"--address", s.Address, "--store", filepath.Join(s.Dir, "store"), "--listen", ""}, flags...)...)
	if err != nil {
		return nil, err
	}
	if err := w.Start(); err != nil {
		return nil, err
	}
	s.Workers = append(s.Workers, w)
	return w, nil
}

// NewProcess describes one more child, which logs into the stack's folder; nothing
// runs yet. Close ends only those that the stack itself has started.
func (s *Stack) NewProcess(name, path string, args ...string) (*Process, error) {
	f, err := logFile(s.Dir, name)
	if err != nil {
		return nil, err
	}
	s.logs = append(s.logs, f)
	return NewProcess(name, f, nil, append([]string{path}, args...)...), nil
}

// Close ends every program that the stack started.
func (s *Stack) Close() {
	for _, w := range s.Workers {
		w.Stop()
	}
	for _, p := range []*Process{s.Sim, s.Temporal} {
		if p != nil {
			p.Stop()
		}
	}
	if s.Postgres != nil {
		s.Postgres.close()
	}
	for _, f := range s.logs {
		_ = f.Close() // only logs, and nobody writes any more
	}
}
