package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

// Stack is a running deployment. Close it.
type Stack struct {
	Temporal *Process
	Sim      *Process
	Workers  []*Process
	// Address and UI are Temporal's; SimURL is the fleet's.
	Address, UI, SimURL string
	// Dir holds databases, logs, the store and the fleet file.
	Dir string

	bin  Binaries
	logs []*os.File
}

// FleetFile is where the simulated fleet writes its inventory.
func (s *Stack) FleetFile() string { return filepath.Join(s.Dir, "fleet.yaml") }

// Start starts Temporal only, keeping everything in dir.
func Start(ctx context.Context, bin Binaries, dir string) (*Stack, error) {
	s := &Stack{Dir: dir, bin: bin}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	uiPort, err := FreePort()
	if err != nil {
		return nil, err
	}
	ready := filepath.Join(dir, "temporal.ready")
	s.Temporal, err = s.process("temporal", bin.Devstack, "--db", filepath.Join(dir, "temporal.db"),
		"--port", fmt.Sprint(port), "--ui-port", fmt.Sprint(uiPort), "--ready-file", ready)
	if err != nil {
		return nil, err
	}
	if err := s.startTemporal(ctx, ready); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Stack) startTemporal(ctx context.Context, ready string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := os.RemoveAll(ready); err != nil {
		return err
	}
	if err := s.Temporal.Start(); err != nil {
		return err
	}
	var info struct{ Address, UI string }
	data, err := s.Temporal.awaitFile(ctx, ready)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &info); err != nil {
		return err
	}
	s.Address, s.UI = info.Address, info.UI
	return nil
}

// RestartTemporal starts Temporal again, on the same ports and database.
func (s *Stack) RestartTemporal(ctx context.Context) error {
	return s.startTemporal(ctx, filepath.Join(s.Dir, "temporal.ready"))
}

// Simulate starts a simulated fleet and waits until it serves.
func (s *Stack) Simulate(ctx context.Context, targets int, unit, release string, flags ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ready := filepath.Join(s.Dir, "sim.ready")
	args := append([]string{"--targets", fmt.Sprint(targets), "--unit", unit, "--release", release,
		"--fleet-file", s.FleetFile(), "--ready-file", ready}, flags...)
	var err error
	if s.Sim, err = s.process("sim", filepath.Join(s.bin.Dir, "sluice-sim"), args...); err != nil {
		return err
	}
	if err := s.Sim.Start(); err != nil {
		return err
	}
	url, err := s.Sim.awaitFile(ctx, ready)
	s.SimURL = strings.TrimSpace(string(url))
	return err
}

// Worker starts one more worker, on the stack's store.
func (s *Stack) Worker() (*Process, error) {
	w, err := s.process(fmt.Sprintf("worker-%d", len(s.Workers)+1), filepath.Join(s.bin.Dir, "sluice-worker"),
		"--address", s.Address, "--store", filepath.Join(s.Dir, "store"), "--listen", "")
	if err != nil {
		return nil, err
	}
	if err := w.Start(); err != nil {
		return nil, err
	}
	s.Workers = append(s.Workers, w)
	return w, nil
}

// process describes a child that logs into the stack's folder.
func (s *Stack) process(name, path string, args ...string) (*Process, error) {
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
	for _, f := range s.logs {
		_ = f.Close() // only logs, and nobody writes any more
	}
}
