package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// grace is how long a program may take to end by itself after SIGTERM.
const grace = 2 * time.Second

// result is what a program left behind.
type result struct {
	program string
	code    int
	stdout  string // its beginning, where it is the answer
	cut     bool   // stdout was longer
	tail    string // the end of what it said
}

// failure tells the status and what was said last. Cleaning can lengthen the tail,
// at most threefold, and its very end matters most.
func (r result) failure() error {
	said := clean(r.tail, 3*maxQuoted)
	if said == "" {
		said = "no output"
	}
	return fmt.Errorf("%s: exit status %d: %s", r.program, r.code, said)
}

// runProgram runs argv in a process group of its own, with a nearly empty
// environment: what the worker knows is none of the program's business. When the
// time is up or ctx ends, the whole group gets SIGTERM and after a grace SIGKILL.
// The error is nil if and only if the program ended by itself with a status.
func runProgram(ctx context.Context, argv []string, env map[string]string, timeout time.Duration, out *output) (result, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(limited, argv[0], argv[1:]...)
	cmd.Env = environment(env)
	cmd.Stdout, cmd.Stderr = out.writers()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return killGroup(cmd, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	if limited.Err() != nil {
		return result{}, fmt.Errorf("%s: not started: %w", argv[0], context.Cause(limited))
	}
	err := cmd.Run()
	if limited.Err() != nil && cmd.Process != nil {
		_ = killGroup(cmd, syscall.SIGKILL) // whatever of the group outlived its leader
	}
	r := out.result(argv[0])
	_, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil && err != nil:
		return result{}, fmt.Errorf("%s: stopped: %w", argv[0], context.Cause(ctx))
	case limited.Err() != nil && err != nil:
		return result{}, fmt.Errorf("%s: not done within %s, stopped: %s", argv[0], timeout, clean(r.tail, 3*maxQuoted))
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // done, though something it started holds its output
		return r, nil
	case exited && cmd.ProcessState.Exited():
		r.code = cmd.ProcessState.ExitCode()
		return r, nil
	case exited:
		return result{}, fmt.Errorf("%s: %s: %s", argv[0], cmd.ProcessState, clean(r.tail, 3*maxQuoted))
	default:
		return result{}, fmt.Errorf("%s: %w", argv[0], err)
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

// output keeps what a program prints: the end of everything, in the order in
// which it was printed; or, where stdout is the answer, the beginning of stdout
// and the end of stderr. Writing to it never fails: a program is not to be
// stopped by its own chatter.
type output struct {
	answer bool // stdout is the answer

	mu         sync.Mutex
	head, tail []byte
	cut        bool
}

// writers are for stdout and stderr. When they are the same, the program gets one
// pipe for both, and so they stay in order.
func (o *output) writers() (stdout, stderr io.Writer) {
	if o.answer {
		return answerWriter{o}, o
	}
	return o, o
}

// Write keeps the end.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(o.tail, p...)
	if len(o.tail) > maxQuoted {
		o.tail = append(o.tail[:0], o.tail[len(o.tail)-maxQuoted:]...)
	}
	return len(p), nil
}

type answerWriter struct{ *output }

// Write keeps the beginning.
func (w answerWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	room := maxAnswer - len(w.head)
	w.cut = w.cut || len(p) > room
	w.head = append(w.head, p[:min(len(p), room)]...)
	return len(p), nil
}

func (o *output) result(program string) result {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := result{program: program, stdout: string(o.head), cut: o.cut, tail: string(o.tail)}
	if r.tail == "" {
		r.tail = string(o.head[max(0, len(o.head)-maxQuoted):])
	}
	return r
}
