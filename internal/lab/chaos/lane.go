package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/pause"
)

// lane is one deployment, on which rollouts run one after the other: a Temporal server and a
// worker. Each rollout has a unit and a fleet of its own.
type lane struct {
	*stack.Stack
	s      settings
	worker *stack.Process
	cut    *stack.Process // runs only while a trial wants it
	// wrong are workers whose clocks are behind and ahead; without the program for it, nil.
	wrong  [2]*stack.Process
	client client.Client

	// supervised is set while the worker is to run: one that ends by itself, because it finds no
	// server, is started again, as any supervisor would.
	mu         sync.Mutex
	supervised bool
	done       sync.WaitGroup
	stop       context.CancelFunc
}

// openLane brings a deployment up.
func openLane(ctx context.Context, s settings, n int) (*lane, error) {
	dir := filepath.Join(s.dir, fmt.Sprintf("lane-%d", n))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var st *stack.Stack
	err := again(ctx, func() (err error) {
		st, err = stack.Start(ctx, s.bin, dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	l := &lane{Stack: st, s: s, supervised: true, stop: stop}
	if l.worker, err = st.Worker(); err == nil {
		if l.cut, err = st.NewProcess("cut", "/bin/sh", "-c", `ulimit -n 14; exec "$@"`, "sh",
			filepath.Join(s.bin.Dir, "sluice-worker"), "--address", st.Address, "--listen", "", "--store", filepath.Join(dir, "store")); err == nil {
			err = errors.Join(l.shift(dir), l.dial(ctx))
		}
	}
	if err != nil {
		l.close()
		return nil, err
	}
	l.done.Go(func() { l.supervise(ctx) })
	return l, nil
}

// shift readies the workers whose clocks are wrong.
func (l *lane) shift(dir string) (err error) {
	for i, seconds := range []string{"-600", "600"} {
		if l.s.shifted == "" || err != nil {
			break
		}
		l.wrong[i], err = l.NewProcess("clock"+seconds, "/usr/bin/env", "SLUICE_CLOCK_OFFSET="+seconds,
			l.s.shifted, "--address", l.Address, "--listen", "", "--store", filepath.Join(dir, "store"))
	}
	return err
}

// supervise keeps the worker running until ctx ends.
func (l *lane) supervise(ctx context.Context) {
	for pause.For(ctx, 200*time.Millisecond) == nil {
		l.mu.Lock()
		if l.supervised && !l.worker.Running() {
			_ = l.worker.Start() // else it is tried again
		}
		l.mu.Unlock()
	}
}

// kill ends a victim's process at once; one that is to be frozen or hung stands still, and one that
// is cut off comes, and one whose clock is wrong takes the place of the worker.
func (l *lane) kill(ctx context.Context, v victim, f *rig, pick float64) error {
	switch v {
	case silent:
		return f.silence(ctx, pick)
	case frozen, hung:
		return syscall.Kill(l.process(v, f).PID(), syscall.SIGSTOP)
	case cut:
		return l.cut.Start()
	case worker, shifted:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.supervised = false
	}
	l.process(v, f).Kill()
	if v == shifted {
		return l.wrong[int(2*pick)].Start()
	}
	return nil
}

// again starts what may not come up in time on a busy machine, a few times, as a supervisor would.
func again(ctx context.Context, start func() error) error {
	for n := 1; ; n++ {
		err := start()
		if err == nil || n == 4 || ctx.Err() != nil {
			return err
		}
	}
}

// dial connects anew: an old connection may take long to notice that its server is back.
func (l *lane) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	c, err := connect.Dial(ctx, connect.Options{Address: l.Address})
	if err != nil {
		return err
	}
	if l.client != nil {
		l.client.Close()
	}
	l.client = c
	return nil
}

func (l *lane) close() {
	l.stop()
	l.done.Wait()
	for _, p := range []*stack.Process{l.cut, l.wrong[0], l.wrong[1]} {
		if p != nil {
			p.Kill()
		}
	}
	if l.client != nil {
		l.client.Close()
	}
	l.Close()
}

// process is a victim's process that must run to be hit; nil if there is none.
func (l *lane) process(v victim, f *rig) *stack.Process {
	switch v {
	case worker, frozen, shifted:
		return l.worker
	case server:
		return l.Temporal
	case fleet, hung:
		return f.sim
	case source:
		return f.prometheus
	}
	return nil
}

// restart brings a victim back and waits until it serves.
func (l *lane) restart(ctx context.Context, v victim, f *rig) error {
	switch v {
	case silent:
		return f.control(ctx, hear)
	case frozen, hung:
		return syscall.Kill(l.process(v, f).PID(), syscall.SIGCONT)
	case cut:
		l.cut.Kill()
		return nil
	case worker, shifted:
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, p := range l.wrong {
			if v == shifted {
				p.Kill()
			}
		}
		l.supervised = true
		return l.worker.Start()
	case server:
		if err := again(ctx, func() error { return l.RestartTemporal(ctx) }); err != nil {
			return err
		}
		return l.dial(ctx)
	case fleet:
		return f.startSim(ctx)
	case source:
		return f.startPrometheus(ctx)
	}
	return fmt.Errorf("nobody knows the victim %q", v)
}
