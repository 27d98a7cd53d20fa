package main

import (
	"context"
	"errors"
	"time"

	"github.com/sluicehq/sluice/internal/terminal"
)

// pollEvery is the pace of looking. A look is a read: it adds nothing to a
// rollout's history.
const pollEvery = time.Second

// errTimeout is the cause of a context that ran out of the user's --timeout.
var errTimeout = errors.New("timeout")

// observer shows a rollout as it goes.
type observer interface {
	// show is called after every look, with what was known before.
	show(before, after view) error
	// stop is called once, with what is known when nobody looks any more.
	stop(last view) error
}

// follower follows one run of a rollout to its end.
type follower struct {
	remote      *remote
	unit, runID string
	timeout     time.Duration // 0 means none
	// passed ends the following before the rollout's end; nil never does.
	passed   func(view) bool
	observer observer
}

// follow looks until the rollout has ended, and answers how. Temporal and workers
// may be away meanwhile.
func (f follower) follow(ctx context.Context) (view, error) {
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, f.timeout, errTimeout)
		defer cancel()
	}
	last, err := f.watch(ctx)
	if stopErr := f.observer.stop(last); stopErr != nil {
		return last, stopErr
	}
	if err != nil && over(ctx) {
		<-ctx.Done()
		return last, f.left(last, errors.Is(context.Cause(ctx), errTimeout))
	}
	return last, err
}

func (f follower) watch(ctx context.Context) (view, error) {
	var last view
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		next, err := f.remote.look(ctx, f.unit, f.runID)
		switch {
		case over(ctx):
			return last, context.DeadlineExceeded
		case err != nil && transient(err) && f.runID != "": // it exists: it was started, or seen
			next = last
			next.Remembered = last.State != nil
			next.Trouble = "Temporal does not answer; trying again: " + rootMessage(err)
		case err != nil:
			return last, err
		}
		if next.RunID != "" {
			next = next.remember(last)
			if err := f.observer.show(last, next); err != nil {
				return next, err
			}
			last, f.runID = next, next.RunID
			if next.settled() || f.passed != nil && f.passed(next) {
				return next, nil
			}
		}
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-tick.C:
		}
	}
}

// over says whether nobody looks any more. A call notices a deadline a little
// before its context does.
func over(ctx context.Context) bool {
	deadline, limited := ctx.Deadline()
	return ctx.Err() != nil || limited && !time.Now().Before(deadline)
}

// left says that the rollout goes on without a watcher.
func (f follower) left(last view, timedOut bool) error {
	why := "you stopped watching"
	if timedOut {
		why = "still running after " + span(f.timeout)
	}
	state := ""
	if last.Phase != "" {
		state = ", now " + last.Phase
	}
	return runningf("%s: the rollout of %s goes on%s\n  look again:   sluice watch %s\n  roll it back: sluice abort %s --why \"…\"",
		why, f.unit, state, f.unit, f.unit)
}

// observerFor shows a rollout on stdout: as a tree on a terminal, else as lines.
func observerFor(con *console) observer {
	switch {
	case con.json:
		return jsonLines{con: con}
	case con.screen != nil:
		return liveTree{con: con, screen: &screen{out: con.out, size: con.size}}
	}
	return textLines{con: con}
}

// textLines prints one line per change.
type textLines struct{ con *console }

func (t textLines) show(before, after view) error {
	now := t.con.now()
	var lines []string
	if before.RunID == "" {
		lines = append(lines, introduction(after, now))
	}
	for _, e := range changes(before, after, now) {
		lines = append(lines, e.line(now))
	}
	return t.con.lines(lines)
}

func (textLines) stop(view) error { return nil }

// introduction is the first of the plain lines.
func introduction(v view, now time.Time) string {
	text := header(v, now, false)[0]
	if v.URL != "" {
		text += " · " + terminal.Safe(v.URL)
	}
	return text
}

// jsonLines prints one JSON object per change, each on a line of its own.
type jsonLines struct{ con *console }

func (j jsonLines) show(before, after view) error {
	enc := j.con.encoder()
	for _, e := range changes(before, after, j.con.now()) {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	return nil
}

func (jsonLines) stop(view) error { return nil }

// liveTree redraws a tree.
type liveTree struct {
	con    *console
	screen *screen
}

func (l liveTree) show(_, after view) error {
	return l.screen.draw(l.lines(after))
}

func (l liveTree) stop(last view) error {
	if last.RunID == "" {
		return nil
	}
	return l.screen.finish(l.lines(last))
}

func (l liveTree) lines(v view) []string {
	return l.con.shown(tree(v, l.con.now(), l.con.width(), l.con.paint))
}
