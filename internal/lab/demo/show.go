package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
)

// demo is one run of the show.
type demo struct {
	*stack.Stack
	out     io.Writer
	targets int
	outages []outage
	tally   tally
}

// errUnexpected is the end of a demo that did not go as announced.
var errUnexpected = errors.New("not everything went as announced, see above")

// show runs the demo and prints its tally.
func show(ctx context.Context, s settings, out io.Writer) error {
	d := &demo{Stack: stack.New(s.bin, s.dir), out: out, targets: s.targets}
	defer d.Close()
	d.say("Everything of this run is kept in %s", s.dir)
	ours, err := d.start(ctx, s)
	if err != nil {
		return err
	}
	acts := []func(context.Context) error{d.good, d.bad, d.abort}
	if !s.postgres {
		acts = append(acts, d.overlap, func(ctx context.Context) error {
			return d.configurations(ctx, filepath.Join(s.bin.Dir, "sluice-agent"))
		})
	}
	for _, act := range acts {
		if err := act(ctx); err != nil {
			return err
		}
	}
	wrong, err := d.LeftWrong(ctx, goodRelease)
	if err != nil {
		return err
	}
	d.tally.wrong += wrong
	fmt.Fprintln(out)
	fmt.Fprintln(out, d.tally)
	if d.tally != expected(s.postgres, ours) {
		return errUnexpected
	}
	return nil
}

// start brings up the whole deployment: the fleet first, since it needs no Temporal. It answers
// whether the Temporal server is the demo's own.
func (d *demo) start(ctx context.Context, s settings) (ours bool, err error) {
	if err := d.Simulate(ctx, s.targets, unit, release, "--rps-per-target", "20"); err != nil {
		return false, err
	}
	temporal := choose(s)
	if err := temporal.begin(ctx, d.Stack, s.build, d.say, func() error { return d.preview(ctx) }); err != nil {
		return false, err
	}
	workers := 1
	d.outages = d.onSQLite(temporal.ours)
	if s.postgres {
		workers = 2
		d.tally.production = true
		d.outages = d.onPostgres()
		d.say("PostgreSQL is up: %s", d.Postgres.URL)
	}
	for range workers {
		if _, err := d.Worker(); err != nil {
			return false, err
		}
	}
	d.say("Temporal is up (Web UI %s), %d targets serve %s %s, workers: %d.", cmp.Or(d.UI, "unknown"), s.targets, unit, release, workers)
	return temporal.ours, nil
}

// preview checks and plans the first rollout, which needs no server.
func (d *demo) preview(ctx context.Context) error {
	d.say("Meanwhile, what the first rollout is going to do, with Sluice's own programs, which are ready:")
	path, err := writeSpec(d.Dir, goodRelease, goodBake)
	if err != nil {
		return err
	}
	for _, command := range []string{"validate", "plan"} {
		if _, err := d.sluice(ctx, command, path); err != nil {
			return err
		}
	}
	return nil
}

// The releases of the demo. The simulated fleet makes a release behave as its suffix says.
const (
	goodRelease  = "2.4.1"
	badRelease   = "2.5.0-errors"
	thirdRelease = "2.6.0"

	// goodBake is how long the good release's canaries bake.
	goodBake = "8s"
)

// submit starts a rollout.
func (d *demo) submit(ctx context.Context, path string) error {
	code, err := d.SluiceTo(ctx, d.out, d.out, "start", path)
	if err != nil || code != 0 {
		return fmt.Errorf("start %s: exit %d: %w", path, code, errors.Join(err, errUnexpected))
	}
	return nil
}

// good promotes a release while what it depends on is killed.
func (d *demo) good(ctx context.Context) error {
	d.scene("1. A good release, %s, goes out in four stages", goodRelease)
	path, err := writeSpec(d.Dir, goodRelease, goodBake)
	if err != nil {
		return err
	}
	if _, err := d.SluiceTo(ctx, d.out, d.out, "plan", path); err != nil {
		return err
	}
	if err := d.submit(ctx, path); err != nil {
		return err
	}
	watched := make(chan int, 1)
	go func() { // follows across both kills
		code, _ := d.sluice(ctx, "watch", unit)
		watched <- code
	}()
	for _, o := range d.outages {
		if err := d.suffer(ctx, o); err != nil {
			return err
		}
	}
	if code := <-watched; code == 0 {
		d.tally.promoted++
	} else {
		d.say("the rollout was NOT promoted: exit %d", code)
	}
	return ctx.Err()
}

// bad starts a release that answers errors, and measures what it reached.
func (d *demo) bad(ctx context.Context) error {
	d.scene("2. A bad release, %s: it answers errors", badRelease)
	path, err := writeSpec(d.Dir, badRelease, "20s")
	if err != nil {
		return err
	}
	code, err := d.sluice(ctx, "start", "--wait", path)
	if err != nil {
		return err
	}
	if code != 3 {
		d.say("it was NOT rolled back: exit %d", code)
		return nil
	}
	d.tally.rolledBack++
	r, err := d.reached(ctx, badRelease)
	if err != nil {
		return err
	}
	d.say("It reached %d of %d targets for %s, which served %.0f requests with it, %.0f of them bad.",
		r.targets, d.targets, r.exposed.Round(100*time.Millisecond), r.requests, r.bad)
	d.say("A push to the whole fleet would, in the same time, have reached %d targets and about %.0f requests: %.0f times as many.",
		d.targets, r.fleetRequests, r.fleetRequests/max(1, r.requests))
	_, err = d.sluice(ctx, "explain", unit)
	return err
}

// abort starts a release and takes it back by hand.
func (d *demo) abort(ctx context.Context) error {
	d.scene("3. %s is aborted by an operator", thirdRelease)
	path, err := writeSpec(d.Dir, thirdRelease, "2m")
	if err != nil {
		return err
	}
	if err := d.submit(ctx, path); err != nil {
		return err
	}
	if err := d.untilBaking(ctx, "canary"); err != nil {
		return err
	}
	if _, err := d.SluiceTo(ctx, d.out, d.out, "abort", unit, "--why", "wrong build"); err != nil {
		return err
	}
	code, err := d.sluice(ctx, "watch", unit)
	if err != nil {
		return err
	}
	if code == 4 {
		d.tally.aborted++
	} else {
		d.say("it was NOT aborted: exit %d", code)
	}
	return nil
}

// untilBaking waits until the rollout bakes the named stage.
func (d *demo) untilBaking(ctx context.Context, stage string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		ran, err := d.Sluice(ctx, "status", unit, "--output", "json")
		if err != nil {
			return err
		}
		var s rollout.State
		if json.Unmarshal([]byte(ran.Stdout), &s) == nil && len(s.Stages) > 0 {
			switch {
			case s.Outcome != nil:
				return fmt.Errorf("the rollout ended as %s before it baked %s: %s", s.Outcome.Result, stage, s.Outcome.Why)
			case s.Stages[s.Stage].Name == stage && s.Phase == rollout.PhaseBake:
				return nil
			}
		}
		if err := pause.For(ctx, 300*time.Millisecond); err != nil {
			return fmt.Errorf("wait for stage %s to bake: %w", stage, err)
		}
	}
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, "── "+format+"\n", args...) }

func (d *demo) scene(format string, args ...any) {
	fmt.Fprintf(d.out, "\n══ "+format+"\n\n", args...)
}

// sluice runs the CLI with its output set off from the demo's words.
func (d *demo) sluice(ctx context.Context, args ...string) (int, error) {
	return d.SluiceTo(ctx, indent{d.out}, indent{d.out}, args...)
}

// indent sets a command's own output off.
type indent struct{ to io.Writer }

// Write passes whole lines on, indented; commands print whole lines.
func (w indent) Write(p []byte) (int, error) {
	text := bytes.TrimSuffix(p, []byte("\n"))
	text = append([]byte("   "), bytes.ReplaceAll(text, []byte("\n"), []byte("\n   "))...)
	if _, err := w.to.Write(append(text, '\n')); err != nil {
		return 0, err
	}
	return len(p), nil
}
