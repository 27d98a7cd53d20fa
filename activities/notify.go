package activities

import (
	"context"
	"errors"

	"github.com/sluicehq/sluice/internal/notify"
	"github.com/sluicehq/sluice/internal/spec"
)

// NotifyInput is an event and who is told of it.
type NotifyInput struct {
	To    spec.Notify  `json:"to"`
	Event notify.Event `json:"event"`
}

// Notify tells a receiver once. Trouble that may go by is retried by whoever asked.
func (a *Activities) Notify(ctx context.Context, in NotifyInput) error {
	err := notify.Send(ctx, in.To, in.Event, a.sources)
	if errors.Is(err, notify.ErrRefused) {
		return invalid(err)
	}
	return err
}
