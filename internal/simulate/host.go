package simulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/pause"
)

// Driver gives orders to the world's targets.
func (w *World) Driver() driver.Driver { return hosts{w} }

// hosts is the driver of a world's targets.
type hosts struct{ *World }

// patience is how long a driver waits for a target that does not answer.
const patience = 10 * time.Second

var errSilent = errors.New("no answer")

// Timeout is how long a target may take to answer.
func (hosts) Timeout() time.Duration { return patience }

// look is a target as it is now.
func (w *World) look(t fleet.Target) (*host, condition, error) {
	w.goOn()
	h, known := w.byID[t.ID]
	if !known {
		return nil, condition{}, fmt.Errorf("the fleet has no target %s", t.ID)
	}
	return h, w.conditionOf(h, w.now()), nil
}

func (d hosts) Observe(ctx context.Context, t fleet.Target, _ string) (driver.State, error) {
	d.mu.Lock()
	h, c, err := d.look(t)
	if err != nil {
		d.mu.Unlock()
		return driver.State{}, err
	}
	s := h.state
	d.mu.Unlock()
	if c.silent {
		return driver.State{}, errors.Join(pause.For(ctx, patience), errSilent)
	}
	if c.down {
		s.Alive, s.Detail = false, "the unit is down"
	}
	return s, nil
}

func (d hosts) Validate(_ context.Context, t fleet.Target, o driver.Order) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	h, ok := d.byID[t.ID]
	if ok && d.refuses(h, o) {
		return fmt.Errorf("%w: the release is not accepted", driver.ErrRefused)
	}
	return nil
}

// refuses says that a target would refuse an order.
func (w *World) refuses(h *host, o driver.Order) bool {
	for _, i := range h.faults {
		if w.model.Faults[i].Kind == Refuse && o.Release == w.release && !o.Back {
			w.shown[i] = true
			return true
		}
	}
	return false
}

// takes is how long a target takes for an order: about as long as the model says, and no two the
// same.
func (w *World) takes(t fleet.Target, o driver.Order) time.Duration {
	r := on(w.model.Seed, hash(t.ID), hash(o.Release))
	return time.Duration((0.75 + 0.5*r.float()) * float64(cmp.Or(w.model.Order, usualOrder)))
}

func (d hosts) Apply(ctx context.Context, t fleet.Target, o driver.Order) error {
	if err := pause.For(ctx, d.takes(t, o)); err != nil {
		return err
	}
	d.mu.Lock()
	d.told(o.Back)
	h, c, err := d.look(t)
	if c.silent {
		d.mu.Unlock()
		return errors.Join(pause.For(ctx, patience), errSilent)
	}
	defer d.mu.Unlock()
	switch {
	case err != nil:
		return err
	case o.Fence < h.state.Fence:
		return driver.ErrFenced
	case d.refuses(h, o):
		return fmt.Errorf("%w: the release is not accepted", driver.ErrRefused)
	}
	d.put(h, driver.State{Release: o.Release, Fence: o.Fence, Alive: true}, o.Back)
	return nil
}

// put has a target run something else from now on.
func (w *World) put(h *host, to driver.State, back bool) {
	w.told(back)
	w.changed(h, to, w.now())
}

// told notes when a target was first told to go back.
func (w *World) told(back bool) {
	if back && w.ledger.Back.IsZero() {
		w.ledger.Back = w.now()
	}
}

// Put puts a release on a target at once, or back on it, as who has no driver does it. One that
// takes no order keeps what it has.
func (w *World) Put(t fleet.Target, release string, back bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h, c, err := w.look(t); err == nil && !c.silent {
		w.put(h, driver.State{Release: release, Alive: true}, back)
	}
}
