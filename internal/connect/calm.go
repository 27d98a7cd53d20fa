package connect

import (
	"context"
	"fmt"
	"log/slog"

	"go.temporal.io/sdk/temporal"
)

// calm keeps the SDK from warning of what belongs to a healthy rollout: a watch hears with a
// heartbeat that it is cancelled, since the rollout was paused or goes on.
type calm struct{ slog.Handler }

// Handle makes such a warning a line for debugging.
func (c calm) Handle(ctx context.Context, r slog.Record) error {
	if r.Level == slog.LevelWarn && r.Message == "RecordActivityHeartbeat with error" && cancelled(r) {
		if !c.Enabled(ctx, slog.LevelDebug) {
			return nil
		}
		r = r.Clone()
		r.Level = slog.LevelDebug
	}
	return c.Handler.Handle(ctx, r)
}

// WithAttrs keeps calm.
func (c calm) WithAttrs(attrs []slog.Attr) slog.Handler { return calm{c.Handler.WithAttrs(attrs)} }

// WithGroup keeps calm.
func (c calm) WithGroup(name string) slog.Handler { return calm{c.Handler.WithGroup(name)} }

// cancelled says whether the error of a record is a cancellation.
func cancelled(r slog.Record) bool {
	found := false
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "Error" {
			err, ok := a.Value.Any().(error)
			found = ok && temporal.IsCanceledError(err) || fmt.Sprint(a.Value.Any()) == "canceled"
		}
		return !found
	})
	return found
}
