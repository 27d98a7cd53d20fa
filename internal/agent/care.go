package agent

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// recover carries on after a start, where a crash left an order half-way.
func (u *unit) recover(ctx context.Context) error {
	running, err := u.link.running()
	if err != nil {
		return err
	}
	s := u.seen().state
	dir := ""
	if running != "" {
		dir = u.link.dir(running)
	}
	switch recoverFrom(s, running, dir != "") {
	case finish:
		return u.see(ctx, dir)
	case goBack:
		if s.Why == "" {
			return u.goBack(ctx, errors.New("its files are gone"))
		}
		return u.goBack(ctx, errors.New(s.Why))
	case abandon:
		return u.update(func(s State) (State, error) {
			s = s.refused("the agent was stopped before it switched: give the order again")
			s.Again = true
			return s, nil
		})
	}
	return nil
}

// look compares the files of what runs with its bundle, heals them where it may, and reloads a
// broken consumer again.
func (u *unit) look(ctx context.Context) error {
	running, err := u.link.running()
	dir := ""
	if err == nil && running != "" {
		if dir = u.link.dir(running); dir == "" {
			err = fmt.Errorf("%s leads to a folder that is gone", u.link.to)
		} else {
			err = u.compare(running, dir)
		}
	}
	s := u.seen().state
	if err == nil && s.Phase == Applied && running != s.Desired {
		err = fmt.Errorf("somebody has changed %s: it leads to %s", u.link.to, named(running))
	}
	if err != nil && u.heal && !errors.Is(err, errForeign) && u.untilReload() <= 0 {
		err = u.mend(ctx, s, running, err)
	}
	u.mu.Lock()
	u.now.drift, u.now.looked = err, time.Now()
	u.mu.Unlock()
	if err == nil && s.Broken != "" && u.untilReload() <= 0 {
		return u.reloadBroken(ctx, s.Broken, running, dir)
	}
	return nil
}

// reloadBroken tries whether a broken consumer takes what is there now, and keeps why not.
func (u *unit) reloadBroken(ctx context.Context, before, running, dir string) error {
	is := ""
	if err := u.reload(ctx, running, dir); err != nil {
		is = why(err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if is == before {
		return nil
	}
	return u.update(func(s State) (State, error) { s.Broken = is; return s, nil })
}

// mend unpacks what should run anew, beside what was changed, and switches to it.
func (u *unit) mend(ctx context.Context, s State, running string, found error) error {
	release := running
	if s.Phase == Applied {
		release = s.Desired
	}
	u.log.Warn("healing", "unit", u.name, "release", release, "drift", found)
	dir, err := u.link.unpack(release)
	if err == nil {
		err = u.link.turn(dir)
	}
	if err == nil {
		err = u.reload(ctx, release, dir)
	}
	if err != nil {
		return fmt.Errorf("%w; healing it: %w", found, err)
	}
	u.count(func(c *counts) { c.healed++ })
	return nil
}

// collect removes what no way leads to any more, and answers which releases are kept.
func (u *unit) collect() (map[string]bool, error) {
	u.link.files.Lock()
	defer u.link.files.Unlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	running, err := u.link.running()
	if err != nil {
		return nil, err
	}
	keep := u.now.state.keeps(running)
	for r := range u.holding {
		keep[r] = true
	}
	return keep, u.link.collect(keep)
}
