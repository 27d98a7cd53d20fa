// Package pause waits for a while, or for as long as a context lives.
package pause

import (
	"context"
	"time"
)

// For waits d. Its error is the context's cause, when the context ends first: pause.For(ctx,
// time.Second).
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
