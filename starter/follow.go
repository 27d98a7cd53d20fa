package main

import (
	"context"
	"errors"
	"time"

	"github.com/sluicehq/sluice/internal/terminal"
)

// pollEvery is the pace of looking. A look is a read: it adds nothing to a rollout's history.
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

// follow looks until the rollout has ended, and answers how. Temporal and workers may be away
// meanwhile.
func (f follower) follow(ctx context.Context) (view, error) {
	var last view
	left, err := looking(ctx, f.timeout, func(ctx context.Context) (bool, error) {
		next, err := f.remote.look(ctx, f.unit, f.runID)
		switch {
		case over(ctx):
			return false, nil
		case err != nil && transient(err) && f.runID != "": // it exists: it was started, or seen
			next = last
			next.Remembered = last.State != nil
			next.Trouble = "Temporal does not answer; trying again: " + rootMessage(err)
		case err != nil:
			return false, err
		}
		if next.RunID == "" {
			return false, nil
		}
		before := last
		last, f.runID = next.remember(before), next.RunID
		err = f.observer.show(before, last)
		return last.atRest() || f.passed != nil && f.passed(last), err
	})
	if stopErr := f.observer.stop(last); stopErr != nil {
		return last, stopErr
	}
	if left != "" {
		return last, f.left(last, left)
	}
	return last, err
}

// looking looks again and again until look says that it is done, or fails. It answers in words why
// nobody looks any more where that comes first.
func looking(ctx context.Context, timeout time.Duration, look func(context.Context) (done bool, err error)) (left string, err error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errTimeout)
		defer cancel()
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !over(ctx) {
		if done, err := look(ctx); done || err != nil && !over(ctx) {
			return "", err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	<-ctx.Done()
	if errors.Is(context.Cause(ctx), errTimeout) {
		return "still running after " + span(timeout), nil
	}
	return "you stopped watching", nil
}

// over says whether nobody looks any more. A call notices a deadline a little before its context
// does.
func over(ctx context.Context) bool {
	deadline, limited := ctx.Deadline()
	return ctx.Err() != nil || limited && !time.Now().Before(deadline)
}

// left says that the rollout goes on without a watcher.
func (f follower) left(last view, why string) error {
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
