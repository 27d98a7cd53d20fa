// Package inventory lists fleets: from a program's output, or from the answer of a
// Prometheus-compatible API. A listing is complete or an error, never a smaller fleet.
package inventory

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// Deps are what listings reach the world by. The zero value works.
type Deps struct {
	// Transport carries requests to a Prometheus API; nil is one of a dial.Guard.
	Transport http.RoundTripper
	// Now is the one moment at which a query is evaluated; nil is the API's own now.
	Now func() time.Time
}

// ErrFinal is matched by an error of List that asking again would only repeat: what was listed is
// no fleet, or there is no such program.
var ErrFinal = errors.New("no fleet")

// finalError is an error that matches ErrFinal, in its own words.
type finalError struct{ error }

// Unwrap answers what it is about.
func (e finalError) Unwrap() error { return e.error }

// Is says that it is final.
func (e finalError) Is(target error) bool { return target == ErrFinal }

func final(err error) error { return finalError{err} }

// List lists a fleet, once, from a valid source with its defaults filled in. The targets come out
// sorted by id, and there is at least one. It is safe for concurrent use. The error matches
// ErrFinal when trying again would be in vain.
func List(ctx context.Context, f spec.FleetSource, d Deps) (fleet.Fleet, error) {
	if d.Now == nil {
		d.Now = func() time.Time { return time.Time{} }
	}
	if d.Transport == nil {
		own := dial.Guard{}.Transport()
		defer own.CloseIdleConnections()
		d.Transport = own
	}
	var out fleet.Fleet
	var err error
	switch {
	case len(f.Command) > 0:
		out, err = fromCommand(ctx, f)
	case f.Prometheus != "":
		out, err = fromPrometheus(ctx, f, d)
	default:
		err = final(errors.New("expected a command or a query that lists it"))
	}
	if err != nil {
		return fleet.Fleet{}, fmt.Errorf("list fleet: %w", err)
	}
	return out, nil
}
