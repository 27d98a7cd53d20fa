package stack

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
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
	fs.StringVar(&b.Dir, "bin", cmp.Or(os.Getenv("SLUICE_BIN"), "bin"), "`folder` of sluice, sluice-worker and sluice-sim")
	fs.StringVar(&b.Devstack, "devstack", cmp.Or(os.Getenv("SLUICE_DEVSTACK"), ".local/bin/devstack"), "the embedded Temporal server")
}

// Folder answers the absolute path of a folder for a run, and creates it. Where none is named it is
// a temporary one whose name begins with prefix.
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

// Stack is a deployment. Close it.
type Stack struct {
	Temporal *Process  // nil: the server is somebody else's
	Postgres *Postgres // nil: Temporal keeps a SQLite file
	Sim      *Process
	Workers  []*Process
	// Address and UI are Temporal's; SimURL is the fleet's.
	Address, UI, SimURL string
	// Namespace is where rollouts live.
	Namespace string
	// Dir holds databases, logs, the store and the fleet file.
	Dir string

	bin   Binaries
	again func(context.Context) error // starts Temporal once more
	logs  []*os.File
}

// New describes a deployment that keeps everything in dir; nothing runs yet.
func New(bin Binaries, dir string) *Stack { return &Stack{Namespace: "default", Dir: dir, bin: bin} }

// Start starts Temporal only, keeping everything in dir.
func Start(ctx context.Context, bin Binaries, dir string) (*Stack, error) {
	s := New(bin, dir)
	if err := s.StartTemporal(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// FleetFile is where the simulated fleet writes its inventory.
func (s *Stack) FleetFile() string { return filepath.Join(s.Dir, "fleet.yaml") }

// Fleet reads it.
func (s *Stack) Fleet() (fleet.Fleet, error) {
	data, err := os.ReadFile(s.FleetFile())
	if err != nil {
		return fleet.Fleet{}, err
	}
	return fleet.Parse(s.FleetFile(), data)
}

// Simulate starts a simulated fleet and waits until it serves.
func (s *Stack) Simulate(ctx context.Context, targets int, unit, release string, flags ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ready := filepath.Join(s.Dir, "sim.ready")
	args := append([]string{
		"--targets", fmt.Sprint(targets), "--unit", unit, "--release", release,
		"--fleet-file", s.FleetFile(), "--ready-file", ready,
	}, flags...)
	var err error
	if s.Sim, err = s.NewProcess("sim", filepath.Join(s.bin.Dir, "sluice-sim"), args...); err != nil {
		return err
	}
	address, err := s.Sim.StartUntil(ctx, ready)
	s.SimURL = strings.TrimSpace(string(address))
	return err
}

// Worker starts one more worker, on the stack's store, with more flags.
func (s *Stack) Worker(flags ...string) (*Process, error) {
	args := append([]string{
		"--address", s.Address, "--namespace", s.Namespace, "--store", filepath.Join(s.Dir, "store"), "--listen", "",
	}, flags...)
	w, err := s.NewProcess(fmt.Sprintf("worker-%d", len(s.Workers)+1), filepath.Join(s.bin.Dir, "sluice-worker"), args...)
	if err != nil {
		return nil, err
	}
	if err := w.Start(); err != nil {
		return nil, err
	}
	s.Workers = append(s.Workers, w)
	return w, nil
}

// NewProcess describes one more child, which logs into the stack's folder; nothing runs yet. Close
// ends only those that the stack itself has started.
func (s *Stack) NewProcess(name, path string, args ...string) (*Process, error) {
	f, err := s.log(name)
	return NewProcess(name, f, append([]string{path}, args...)...), err
}

// log opens the file for a program's output.
func (s *Stack) log(name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(s.Dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		s.logs = append(s.logs, f)
	}
	return f, err
}

// NewPrometheus describes a Prometheus that keeps its configuration and its data in dir, and
// answers its base URL.
func (s *Stack) NewPrometheus(ctx context.Context, name, program, dir, config string) (p *Process, url string, err error) {
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return nil, "", err
	}
	ports, err := FreePorts(ctx, 1)
	if err != nil {
		return nil, "", err
	}
	address := Loopback(ports[0])
	p, err = s.NewProcess(name, program, "--config.file="+file, "--web.listen-address="+address,
		"--storage.tsdb.path="+filepath.Join(dir, "prometheus"), "--log.level=warn")
	return p, "http://" + address, err
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
