package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/pause"
)

// waiting is an order that waits for its reload, and what ends it.
type waiting struct {
	order Order
	end   context.CancelCauseFunc
}

// waitForReload waits until the consumer may be reloaded again, or a newer order comes, or this one
// ends to be good. Going back does not wait.
func (u *unit) waitForReload(ctx context.Context, o Order) error {
	rest := u.untilReload()
	if o.Back || rest <= 0 {
		return nil
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	w := &waiting{o, end}
	u.mu.Lock()
	u.waiting = w
	for by := range u.coming {
		w.giveWay(*by)
	}
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.waiting = nil
	}()
	left := rest
	if !o.Until.IsZero() {
		left = min(rest, time.Until(o.Until))
	}
	if err := pause.For(ctx, left); err != nil || left == rest {
		return err
	}
	return fmt.Errorf("%w: it waited for minReloadInterval, for which %s are left", errExpired, (rest - left).Round(time.Second))
}

// giveWay ends the wait of an order that gives way to another one.
func (w *waiting) giveWay(to Order) {
	if w.order.givesWay(to) {
		w.end(fmt.Errorf("%w, with the fence %d", errFenced, to.Fence))
	}
}

// displace ends the wait of an order that gives way to another one, now or when it begins to wait,
// until the other is over.
func (u *unit) displace(by Order) (over func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.coming[&by] = true
	if u.waiting != nil {
		u.waiting.giveWay(by)
	}
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.coming, &by)
	}
}

func (u *unit) untilReload() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return time.Until(u.reloaded.Add(u.interval))
}

func (u *unit) reload(ctx context.Context, release, dir string) error {
	u.link.at("reload")
	u.mu.Lock()
	u.reloaded = time.Now()
	u.mu.Unlock()
	if err := u.consumer.reload(ctx, release, dir); err != nil {
		return err
	}
	u.link.at("confirm")
	return u.consumer.confirm(ctx, release, dir)
}

// goBack puts back what is at home after an order failed, and keeps why. Where that fails, too, the
// link stays on it, and the unit is broken until the consumer shows what it should.
func (u *unit) goBack(ctx context.Context, failed error) error {
	reason := why(failed)
	s := u.seen().state
	u.log.Warn("an order fails", "unit", u.name, "release", s.Desired, "why", reason)
	if err := u.update(func(s State) (State, error) { s.Why = reason; return s, nil }); err != nil {
		u.log.Error("going back without a note of it", "unit", u.name, "error", err)
	}
	home := s.home(s.Desired)
	broken := u.goHome(ctx, home, s.Desired)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	u.count(func(c *counts) {
		if c.refused++; home != s.Desired {
			c.back++
		}
	})
	err := u.update(func(s State) (State, error) {
		s = s.refused(reason)
		if s.Broken = ""; broken != nil {
			s.Broken = why(broken)
		} else if home == s.Desired { // nothing was left that could be broken otherwise
			s.Broken, s.Removed = reason, s.Removed || home == ""
		}
		return s, nil
	})
	kind := errRefused
	if s.refused(reason).Again {
		kind = errTrouble
	}
	if broken != nil {
		return errors.Join(fmt.Errorf("%w: %s; and going back to %s failed: %s", kind, reason, named(home), why(broken)), err)
	}
	return errors.Join(fmt.Errorf("%w: %s", kind, reason), err)
}

// goHome switches to a release that ran before, and reloads the consumer.
func (u *unit) goHome(ctx context.Context, home, failed string) error {
	if home == failed {
		return nil // it stays where it is
	}
	dir := ""
	if home != "" {
		var err error
		if dir, err = u.link.unpack(home); err != nil {
			if dir = u.link.dir(home); dir == "" {
				return fmt.Errorf("its files are gone: %w", err)
			}
			u.log.Error("going back to files that were changed", "unit", u.name, "error", err)
		}
	}
	if err := u.link.turn(dir); err != nil {
		return err
	}
	return u.reload(ctx, home, dir)
}
