package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/relay/order"
)

// Errors of orders, beside those of bundles.
var (
	// errFenced says that a newer order was here.
	errFenced = errors.New("a newer order was here")
	// errRefused says that the release will never be accepted, and why.
	errRefused = errors.New("refused")
	// errTrouble says that it is not in effect, and why; the same order may be given again.
	errTrouble = errors.New("not in effect")
	// errNotSettled says that the release is not what runs by the newest order.
	errNotSettled = errors.New("not settled")
)

// unit carries out the orders for one configuration. Apply, recover and look are for one caller at
// a time; prepare, settle and what reads the state may be called beside them.
type unit struct {
	name     string
	keep     int
	heal     bool
	interval time.Duration
	consumer consumer
	keys     []signature.Key // one of which must have signed a bundle; none where nobody need have
	link     link
	log      *slog.Logger

	// mu guards what follows.
	mu       sync.Mutex
	now      seen
	reloaded time.Time       // when the consumer was last told to reload; unknown after a start
	holding  map[string]int  // releases that somebody is about to use
	waiting  *waiting        // nil unless an order waits for its reload
	coming   map[*Order]bool // that are given, and wait for what is under way
}

// seen is what is known of a unit, beside where its link leads.
type seen struct {
	state  State
	drift  error     // what the last look found
	looked time.Time // when that was
	counts counts
	answer *order.Answer // to the newest order from a relay
	polled time.Time     // when the relay last answered
}

// counts are of what happened since the start.
type counts struct{ applied, refused, back, healed, stale int }

func (u *unit) seen() seen {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.now
}

// update changes the state, on disk first.
func (u *unit) update(change func(State) (State, error)) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	s, err := change(u.now.state)
	if err != nil {
		return err
	}
	if s.Phase != u.now.state.Phase {
		s.Since = time.Now()
	}
	if err := u.link.saveState(u.name, s); err != nil {
		return fmt.Errorf("keep the state: %w", err)
	}
	u.now.state = s
	return nil
}

// hold keeps a release from being collected until it is let go.
func (u *unit) hold(release string) (letGo func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.holding[release]++
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.holding[release]--; u.holding[release] == 0 {
			delete(u.holding, release)
		}
	}
}

// prepare unpacks a release and checks it, and switches nothing.
func (u *unit) prepare(ctx context.Context, release string) error {
	if err := u.trust(release, nil); err != nil {
		return err
	}
	defer u.hold(release)()
	dir, err := u.link.unpack(release)
	if err != nil {
		return err
	}
	if err := u.check(ctx, release, dir); err != nil {
		return err
	}
	return u.update(func(s State) (State, error) { return s.prepared(release, u.keep), nil })
}

// check asks the consumer about a release, and looks that its files are still the release's.
func (u *unit) check(ctx context.Context, release, dir string) error {
	if u.seen().state.knows(release) {
		return nil
	}
	u.link.at("check")
	err := u.consumer.check(ctx, release, dir)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		if err = u.compare(release, dir); err != nil {
			err = fmt.Errorf("check changed files of the release: %w", err)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	return nil
}

// compare answers nil where the files of a release are as its bundle has them, or its bundle is
// gone.
func (u *unit) compare(release, dir string) error {
	b, f, err := u.link.openBundle(release)
	if errors.Is(err, errNotHere) {
		return nil
	}
	if err != nil {
		return err
	}
	_ = f.Close() // only its table was read
	return drift(b, dir)
}

// apply carries out an order: nil once it is in effect. An error that is not errRefused, errFenced
// or errTrouble left everything as it was.
func (u *unit) apply(ctx context.Context, o Order) error {
	running, err := u.link.running()
	if err != nil {
		return err
	}
	now := u.seen()
	switch s := now.state; admit(s, running, now.drift == nil && s.Broken == "", o) {
	case fenced:
		return fmt.Errorf("%w, with the fence %d", errFenced, s.bar(o.Key))
	case repeated:
		return fmt.Errorf("%w: %s", errRefused, s.Why)
	case already:
		if o.Fence == s.Fence && o.Key == s.Key && s.Phase == Applied && o.Release == s.Desired {
			return nil
		}
		return u.update(func(s State) (State, error) { return s.intent(o, running, u.keep).landed(u.keep), nil })
	}
	if err := u.trust(o.Release, nil); err != nil {
		return err
	}
	defer u.hold(o.Release)()
	dir, err := u.ready(ctx, o)
	if err != nil {
		return err
	}
	if err := u.waitForReload(ctx, o); err != nil {
		return err
	}
	if err := u.update(func(s State) (State, error) { return s.intent(o, running, u.keep), nil }); err != nil {
		return err
	}
	if err := u.link.turn(dir); err != nil {
		return u.notSwitched(ctx, running, fmt.Errorf("switch: %w", err))
	}
	return u.see(ctx, dir)
}

// notSwitched ends an order whose switch failed, most likely before anything was changed.
func (u *unit) notSwitched(ctx context.Context, before string, failed error) error {
	if running, err := u.link.running(); err != nil || running != before {
		return u.goBack(ctx, failed)
	}
	return errors.Join(fmt.Errorf("%w: %w", errTrouble, failed), u.update(func(s State) (State, error) {
		s = s.refused(why(failed))
		s.Again = true
		return s, nil
	}))
}

// ready answers the folder of an order's release, checked; empty for no release.
func (u *unit) ready(ctx context.Context, o Order) (string, error) {
	if o.Release == "" {
		return "", nil
	}
	dir, err := u.link.unpack(o.Release)
	if err != nil {
		return "", err
	}
	err = u.check(ctx, o.Release, dir)
	if errors.Is(err, errRefused) {
		running, linkErr := u.link.running()
		return "", errors.Join(err, linkErr, u.update(func(s State) (State, error) {
			return s.intent(o, running, u.keep).refused(why(err)), nil
		}))
	}
	return dir, err
}

// see reloads the consumer after its link was switched, and looks that it runs the release.
// Otherwise the link goes back.
func (u *unit) see(ctx context.Context, dir string) error {
	s := u.seen().state
	err := u.reload(ctx, s.Desired, dir)
	if ctx.Err() != nil {
		return context.Cause(ctx) // the next start goes on from here
	}
	if err != nil {
		return u.goBack(ctx, err)
	}
	if err := u.update(func(s State) (State, error) { return s.landed(u.keep), nil }); err != nil {
		return err
	}
	u.count(func(c *counts) { c.applied++ })
	return nil
}

// settle makes what runs good.
func (u *unit) settle(o Order) error {
	return u.update(func(s State) (State, error) {
		running, err := u.link.running()
		if err != nil {
			return s, err
		}
		if s, err = s.settled(o, running, u.keep); err != nil {
			return s, fmt.Errorf("%w: %w", errNotSettled, err)
		}
		return s, nil
	})
}

// polled notes that a relay has answered.
func (u *unit) polled(when time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.now.polled = when
}

// answer notes what came of an order from a relay.
func (u *unit) answer(document string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := &order.Answer{Document: document, Status: http.StatusNoContent}
	if err != nil {
		a.Status, a.Why = statusOf(err), why(err)
	}
	if errors.Is(err, errNotMine) || errors.Is(err, errExpired) || errors.Is(err, errFenced) {
		u.now.counts.stale++
	}
	u.now.answer = a
}

func (u *unit) count(change func(*counts)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	change(&u.now.counts)
}

// noSpace says that an error is about a full disk.
func noSpace(err error) bool {
	return errors.Is(err, errNoSpace) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// invalid says that what was uploaded is no bundle, or another.
func invalid(err error) bool { return errors.Is(err, bundle.ErrInvalid) && !errors.Is(err, errNotHere) }
