package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// work runs one trial after the other, on several deployments side by side, until
// enough has been killed or something does not work that is not Sluice.
func work(ctx context.Context, s settings, t *tally, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var mu sync.Mutex
	say := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(out, line)
	}
	var wg sync.WaitGroup
	for n := range s.lanes {
		wg.Go(func() {
			if err := s.along(ctx, n, &next, t, say); err != nil {
				cancel(fmt.Errorf("deployment %d: %w", n, err))
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return ctx.Err()
}

// along runs trials on one deployment.
func (s settings) along(ctx context.Context, n int, next *atomic.Int64, t *tally, say func(string)) error {
	l, err := openLane(ctx, s, n)
	if err != nil {
		return err
	}
	defer l.close()
	for t.killed() < s.kills && ctx.Err() == nil {
		i := int(next.Add(1) - 1)
		if s.only >= 0 {
			if i > 0 {
				return nil
			}
			i = s.only
		}
		dir := filepath.Join(s.dir, fmt.Sprintf("rollout-%04d", i))
		e, err := l.try(ctx, newTrial(s.seed, i, s.prometheus != ""), dir)
		if err != nil {
			return fmt.Errorf("rollout %d: %w", i, err)
		}
		broken, changed := check(e)
		say(t.add(e, broken, changed, dir))
		if len(broken) > 0 || s.keep {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}
