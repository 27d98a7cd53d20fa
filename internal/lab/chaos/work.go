package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// work runs one trial after the other, on several deployments side by side, until
// enough has been killed or something does not work that is not Sluice.
func work(ctx context.Context, s settings, t *tally, out io.Writer) error {
	var next atomic.Int64
	var mu sync.Mutex
	say := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(out, line)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for n := range s.lanes {
		group.Go(func() error {
			if err := s.along(groupCtx, n, &next, t, say); err != nil {
				return fmt.Errorf("deployment %d: %w", n, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// victims are those for which everything is there.
func (s settings) victims() []victim {
	return slices.DeleteFunc(victims(), func(v victim) bool { return v == source && s.prometheus == "" || v == shifted && s.shifted == "" })
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
		e, err := l.try(ctx, newTrial(s.seed, i, s.victims()), dir)
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
