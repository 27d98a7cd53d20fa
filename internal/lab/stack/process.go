// Package stack runs the programs of a Sluice deployment as child processes on loopback: the demo
// and the end-to-end tests start, kill and restart real ones.
package stack

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/internal/pause"
)

// Process is a child process that can be killed and started again. It is safe for concurrent use.
type Process struct {
	name string
	argv []string
	log  io.Writer
	dir  string              // empty: this program's
	user *syscall.Credential // nil: this program's
	stop syscall.Signal      // asks it to end
	left syscall.Signal      // what it gets when this program dies

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	how  *string       // set before that
}

// NewProcess describes a child; nothing runs yet. Its output goes to log.
func NewProcess(name string, log io.Writer, argv ...string) *Process {
	return &Process{name: name, argv: argv, log: log, stop: syscall.SIGTERM, left: syscall.SIGKILL}
}

// Start runs the program. It must not be running.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return fmt.Errorf("%s runs already", p.name)
	}
	cmd := exec.Command(p.argv[0], p.argv[1:]...) //nolint:noctx // it is ended by Kill and Stop, and outlives the call
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.Dir = p.dir
	// A child must not outlive its parent, nor get the terminal's Ctrl-C.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: p.left, Credential: p.user}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	done := make(chan struct{})
	how := new(string)
	go func() { _ = cmd.Wait(); *how = cmd.ProcessState.String(); close(done) }()
	p.cmd, p.done, p.how = cmd, done, how
	return nil
}

// Running says whether the program runs.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running()
}

func (p *Process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Ended waits until the program has ended by whatever means, and says how, such as "signal:
// killed". It is an error when ctx ends first, or nothing was started.
func (p *Process) Ended(ctx context.Context) (how string, err error) {
	p.mu.Lock()
	done, said := p.done, p.how
	p.mu.Unlock()
	if done == nil {
		return "", fmt.Errorf("%s was not started", p.name)
	}
	select {
	case <-done:
		return *said, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Name is what the process is called.
func (p *Process) Name() string { return p.name }

// Command is what it runs.
func (p *Process) Command() []string { return slices.Clone(p.argv) }

// PID is the id of the running program; 0 when none runs.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return 0
	}
	return p.cmd.Process.Pid
}

// Kill ends the program with SIGKILL and waits until it is gone.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

// Stop asks the program to end, and kills it after 20 seconds.
func (p *Process) Stop() { p.end(p.stop) }

func (p *Process) end(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return
	}
	_ = p.cmd.Process.Signal(sig) // it may have ended by itself just now
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// StartUntil starts the program, which must not be running, and reads the file that it writes once
// it is ready. It is an error when the program ends before that, or ctx does.
func (p *Process) StartUntil(ctx context.Context, ready string) (data []byte, err error) {
	if err := os.RemoveAll(ready); err != nil { // an earlier run's
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	err = p.Await(ctx, func(context.Context) (err error) {
		data, err = os.ReadFile(ready)
		return err
	})
	if err != nil {
		p.Kill() // so that it can be tried again
	}
	return data, err
}

// StartAnswering starts the program, which must not be running, and waits until a page of it can be
// read.
func (p *Process) StartAnswering(ctx context.Context, url string) error {
	if err := p.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return p.Await(ctx, func(ctx context.Context) error { return Answers(ctx, url) })
}

// Await waits until ready answers no error. It is an error when the program ends before that, with
// the end of its log, or ctx does.
func (p *Process) Await(ctx context.Context, ready func(context.Context) error) error {
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if !p.Running() {
			return p.endedEarly()
		}
		if over := pause.For(ctx, 50*time.Millisecond); over != nil {
			return fmt.Errorf("%s was not ready in time: %w: %w", p.name, over, err)
		}
	}
}

// endedEarly says how a program ended that was not ready yet.
func (p *Process) endedEarly() error {
	how, err := p.Ended(context.Background())
	if err != nil {
		return err
	}
	log, ok := p.log.(*os.File)
	if !ok {
		return fmt.Errorf("%s ended before it was ready: %s", p.name, how)
	}
	return fmt.Errorf("%s ended before it was ready: %s. The end of its log, %s:\n%s", p.name, how, log.Name(), LastLines(log.Name()))
}

// shownLines is how much of a log is shown.
const shownLines = 5

// LastLines are the last lines of a log, set off.
func LastLines(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "  (" + err.Error() + ")"
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-shownLines):], "\n  ")
}
