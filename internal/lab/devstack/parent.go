package main

import (
	"context"
	"os"
	"time"
)

// parentPoll is how often the parent is looked for: often enough that a test run which was killed
// leaves nothing behind that the next one could trip over, and far too rarely to cost anything.
const parentPoll = 500 * time.Millisecond

// withParent returns a context that ends when this process gets another parent than ppid, which is
// what happens when its own dies. Unlike Linux's parent-death signal it does not depend on which
// thread of the parent started us.
func withParent(ctx context.Context, ppid int) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		tick := time.NewTicker(parentPoll)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if os.Getppid() != ppid {
					cancel()
					return
				}
			}
		}
	}()
	return ctx, cancel
}
