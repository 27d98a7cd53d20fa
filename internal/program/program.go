// Package program runs programs: on the worker drivers that are programs, and listings of fleets;
// on a target what an agent asks its consumer.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/internal/terminal"
)

// grace is how long a program may take to end by itself after SIGTERM.
const grace = 2 * time.Second

// maxSaid bounds how much of what a program says is kept for errors, in bytes.
const maxSaid = 2 << 10

// ExitRefused is the exit status by which a program says that trying again would be in vain
// (EX_DATAERR of sysexits.h).
const ExitRefused = 65

// Call says what to run.
type Call struct {
	// Argv is the program and its arguments, at least one.
	Argv []string
	// Env is added to PATH and HOME, which is all the program gets of the worker's environment.
	Env map[string]string
	// Dir is the folder to run it in, which relative paths start from; empty is the worker's own.
	Dir string
	// Timeout bounds the run.
	Timeout time.Duration
	// As is the user as whom it runs; nil is the worker's own.
	As *syscall.Credential
	// Answer is how many bytes of standard output are the answer; 0 when it is only chatter, as
	// standard error is.
	Answer int
}

// Result is what a program left behind.
type Result struct {
	Program string
	Code    int
	Stdout  string // its beginning, where it is the answer
	Cut     bool   // stdout was longer
	tail    string // the end of what it said
}

// Failure tells the status and what was said last.
func (r Result) Failure() error {
	said := r.said()
	if said == "" {
		said = "no output"
	}
	return fmt.Errorf("%s: exit status %d: %s", r.Program, r.Code, said)
}

// said is what was said last. Cleaning can lengthen it, at most threefold, and its very end matters
// most.
func (r Result) said() string { return terminal.OneLine(r.tail, 3*maxSaid) }

// LastLine is the last line of what was said.
func (r Result) LastLine() string {
	text := strings.TrimSpace(r.tail)
	return terminal.OneLine(text[strings.LastIndexByte(text, '\n')+1:], maxSaid)
}

// Run runs a program in a process group of its own, never through a shell, with a nearly empty
// environment: what the worker knows is none of the program's business. When the time is up or ctx
// ends, the whole group gets SIGTERM and after a grace SIGKILL. The error is nil if and only if the
// program ended by itself with a status.
func Run(ctx context.Context, c Call) (Result, error) {
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	cmd := exec.CommandContext(limited, c.Argv[0], c.Argv[1:]...)
	cmd.Env, cmd.Dir = environment(c.Env), c.Dir
	out := &output{most: c.Answer}
	cmd.Stdout, cmd.Stderr = out.writers()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: c.As}
	cmd.Cancel = func() error { return killGroup(cmd, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	if limited.Err() != nil {
		return Result{}, fmt.Errorf("%s: not started: %w", c.Argv[0], context.Cause(limited))
	}
	err := cmd.Run()
	if limited.Err() != nil && cmd.Process != nil {
		_ = killGroup(cmd, syscall.SIGKILL) // whatever of the group outlived its leader
	}
	r := out.result(c.Argv[0])
	_, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil && err != nil:
		return Result{}, fmt.Errorf("%s: stopped: %w", c.Argv[0], context.Cause(ctx))
	case limited.Err() != nil && err != nil:
		return Result{}, fmt.Errorf("%s: not done within %s, stopped: %s", c.Argv[0], c.Timeout, r.said())
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // done, though something it started holds its output
		return r, nil
	case exited && cmd.ProcessState.Exited():
		r.Code = cmd.ProcessState.ExitCode()
		return r, nil
	case exited:
		return Result{}, fmt.Errorf("%s: %s: %s", c.Argv[0], cmd.ProcessState, r.said())
	default:
		return Result{}, fmt.Errorf("%s: %w", c.Argv[0], err)
	}
}

func killGroup(cmd *exec.Cmd, sig syscall.Signal) error {
	err := syscall.Kill(-cmd.Process.Pid, sig)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

func environment(extra map[string]string) []string {
	env := make([]string, 0, len(extra)+2)
	for _, name := range []string{"PATH", "HOME"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for name, value := range extra {
		env = append(env, name+"="+value)
	}
	return env
}

// output keeps what a program prints: the end of everything, in the order in which it was printed;
// or, where stdout is the answer, the beginning of stdout and the end of stderr. Writing to it
// never fails: a program is not to be stopped by its own chatter.
type output struct {
	most int // bytes of stdout; 0 when it is not the answer

	mu         sync.Mutex
	head, tail []byte
	cut        bool
}

// writers are for stdout and stderr. When they are the same, the program gets one pipe for both,
// and so they stay in order.
func (o *output) writers() (stdout, stderr io.Writer) {
	if o.most > 0 {
		return answerWriter{o}, o
	}
	return o, o
}

// Write keeps the end.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(o.tail, p...)
	if len(o.tail) > maxSaid {
		o.tail = append(o.tail[:0], o.tail[len(o.tail)-maxSaid:]...)
	}
	return len(p), nil
}

type answerWriter struct{ *output }

// Write keeps the beginning.
func (w answerWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	room := w.most - len(w.head)
	w.cut = w.cut || len(p) > room
	w.head = append(w.head, p[:min(len(p), room)]...)
	return len(p), nil
}

func (o *output) result(program string) Result {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := Result{Program: program, Stdout: string(o.head), Cut: o.cut, tail: string(o.tail)}
	if r.tail == "" {
		r.tail = string(o.head[max(0, len(o.head)-maxSaid):])
	}
	return r
}
