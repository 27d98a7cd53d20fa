package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/lab/hosts"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
)

// depot is one deployment with a fleet of agents, to which bundles go one after the other.
type depot struct {
	*lane
	fleet  *hosts.Fleet
	relays *relays // nil where workers reach the agents
	// known are all bundles that were ever rolled out here, and versions what their file says.
	known    map[string]bundle.Bundle
	versions map[string]string
}

// delivered is what is known of a rollout of a bundle once it is over.
type delivered struct {
	delivery delivery
	release  string
	before   []string // what each host ran
	state    rollout.State
	hits     []hit
	looks    int // at a host's link and the files behind it
	took     time.Duration
	broken   []violation
}

// What must never be seen on a host: files that are no release's, a release that is neither the old
// nor the new one or that has not come to its end, a host that the outcome should have named, and
// an end that nothing explains.
const (
	mixed    rule = "mixed"
	between  rule = "in between"
	unlisted rule = "unlisted"
	wrongEnd rule = "wrong end"
)

// openDepot brings a deployment up, with a first release on all hosts.
func (s settings) openDepot(ctx context.Context, n int, behind bool) (*depot, error) {
	l, err := openLane(ctx, s, n)
	if err != nil {
		return nil, err
	}
	d := &depot{lane: l, known: map[string]bundle.Bundle{}, versions: map[string]string{"": ""}}
	if behind {
		if d.relays, err = openRelays(ctx, l); err != nil {
			return d, err
		}
	}
	if d.fleet, err = hosts.Open(ctx, l.Stack, filepath.Join(s.bin.Dir, "sluice-agent"), hostCount, d.relays.pulls()...); err != nil {
		return d, err
	}
	first, err := d.deliver(ctx, delivery{n: -1 - n, cargo: cargos()[0]})
	if err == nil && len(first.broken) > 0 {
		err = fmt.Errorf("the first release, with nothing killed: %v", first.broken)
	}
	return d, err
}

func (d *depot) close() {
	if d.fleet != nil {
		d.fleet.Close()
	}
	d.relays.close()
	d.lane.close()
}

// deliver rolls a bundle out while things are killed, and looks what came of it. Its error means
// that it could not be run, and says nothing of Sluice.
func (d *depot) deliver(ctx context.Context, what delivery) (delivered, error) {
	began, out := time.Now(), delivered{delivery: what}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	b, err := what.make(ctx, filepath.Join(d.Dir, what.folder()))
	if err != nil {
		return out, err
	}
	out.release = b.Release()
	d.known[out.release], d.versions[out.release] = b, what.version()
	for _, h := range d.fleet.Hosts {
		release, err := h.Behind(d.known)
		if err != nil {
			return out, fmt.Errorf("before it begins: %s: %w", h.ID, err)
		}
		out.before = append(out.before, release)
	}
	if err := d.sign(ctx, filepath.Join(d.Dir, what.folder()), out.release); err != nil {
		return out, err
	}
	spec := filepath.Join(d.Dir, "rollout.yaml")
	if err := os.WriteFile(spec, []byte(what.spec(d.relays.driver())), 0o644); err != nil {
		return out, err
	}
	ran, err := d.Sluice(ctx, "start", "--by", "chaos", "--store", d.store(), spec)
	if err != nil || ran.Code != 0 {
		return out, fmt.Errorf("start: exit %d: %w\n%s%s", ran.Code, err, ran.Stdout, ran.Stderr)
	}
	if err := d.follow(ctx, &out); err != nil {
		return out, err
	}
	out.took = time.Since(began)
	return out, d.judge(ctx, &out)
}

func (d *depot) store() string { return filepath.Join(d.Dir, "store") }

// follow waits until the rollout is over, and strikes meanwhile.
func (d *depot) follow(ctx context.Context, out *delivered) error {
	watched := &drive{lane: d.lane, unit: hosts.Unit}
	left := out.delivery.strikes
	for {
		if s, ok := watched.status(ctx); ok {
			out.state = s
			if s.Outcome != nil && watched.over(ctx, s) {
				return nil
			}
			for now := place(bundlePhase(s), s.Stage); len(left) > 0 && place(left[0].phase, left[0].stage) <= now; left = left[1:] {
				if place(left[0].phase, left[0].stage) < now {
					left[0].after = 0
				}
				if err := d.strike(ctx, left[0], out); err != nil {
					return fmt.Errorf("%s: %w", left[0].victim, err)
				}
			}
		}
		if err := pause.For(ctx, 5*time.Millisecond); err != nil {
			return fmt.Errorf("it is %s, and does not end: %w", out.state.Phase, err)
		}
	}
}

// strike does one thing, looks at every host while it lasts, and mends it.
func (d *depot) strike(ctx context.Context, s strike, out *delivered) error {
	if err := pause.For(ctx, s.after); err != nil {
		return err
	}
	for s.victim == worker && !d.worker.Running() { // its supervisor is about to start it
		if err := pause.For(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	h := hit{victim: s.victim, wanted: s.phase, seen: bundlePhase(out.state), at: time.Now()}
	struck := d.fleet.Hosts
	if s.victim == oneAgent {
		struck = struck[s.host : s.host+1]
	}
	away := d.store() + ".away"
	var err error
	switch s.victim {
	case oneAgent, allAgents:
		for _, host := range struck {
			host.Agent.Kill()
		}
	case oneRelay:
		d.relays.all[s.host%2].Kill()
	case storeGone:
		err = os.Rename(d.store(), away)
	default:
		err = d.kill(ctx, s.victim, nil, 0)
	}
	if err != nil {
		return err
	}
	d.look(out)
	if err := pause.For(ctx, s.down); err != nil {
		return err
	}
	switch s.victim {
	case oneAgent, allAgents:
		for _, host := range struck {
			err = errors.Join(err, host.Start(ctx))
		}
	case oneRelay:
		err = d.relays.start(ctx, s.host%2)
	case storeGone: // workers have made a new one, perhaps
		err = errors.Join(os.RemoveAll(d.store()), os.Rename(away, d.store()))
	default:
		err = d.restart(ctx, s.victim, nil)
	}
	h.up = time.Now()
	out.hits = append(out.hits, h)
	d.look(out)
	return err
}

// look compares what every host's link leads to with the old and the new release.
func (d *depot) look(out *delivered) {
	for i, h := range d.fleet.Hosts {
		d.lookAt(h, out.before[i], out)
	}
}

// lookAt answers what the link leads to.
func (d *depot) lookAt(h *hosts.Host, before string, out *delivered) string {
	out.looks++
	release, err := h.Behind(d.known)
	switch {
	case err != nil:
		out.flaw(mixed, "%s: %v", h.ID, err)
	case release != before && (release != out.release || out.delivery.cargo.end == rollout.PhaseRefused):
		out.flaw(between, "%s runs %q, neither %q nor the new %q", h.ID, d.versions[release], d.versions[before], out.delivery.version())
	}
	return release
}

func (out *delivered) flaw(r rule, format string, args ...any) {
	out.broken = append(out.broken, r.broken(format, args...))
}

// judge looks at what every host runs in the end, by its files, its consumer and its agent.
func (d *depot) judge(ctx context.Context, out *delivered) error {
	history, err := stack.History(ctx, d.client, connect.WorkflowID(hosts.Unit), "")
	if err != nil {
		return err
	}
	times := timelineOf(history)
	for i := range out.hits {
		out.hits[i].real = times.at(out.hits[i].at)
	}
	outcome := out.state.Outcome
	for i, h := range d.fleet.Hosts {
		said, err := h.Rest(ctx)
		if err != nil {
			out.flaw(between, "%v", err)
			continue
		}
		release := d.lookAt(h, out.before[i], out)
		if loaded := h.Loaded(); loaded != d.versions[release] || said.Release != release || !said.Alive {
			out.flaw(between, "%s: the link leads to %q, its consumer runs %q, and its agent says %+v", h.ID, d.versions[release], loaded, said)
		}
		want := out.before[i]
		if outcome.Result == rollout.PhasePromoted {
			want = out.release
		}
		if release != want && !slices.ContainsFunc(outcome.NotReverted, func(t rollout.TargetTrouble) bool { return t.ID == h.ID }) {
			out.flaw(unlisted, "%s runs %q, although the rollout is %s", h.ID, d.versions[release], outcome.Result)
		}
	}
	if got, want := outcome.Result, out.delivery.cargo.end; got != want && out.changed() == "" {
		out.flaw(wrongEnd, "%s instead of %s: %s", got, want, outcome.Why)
	}
	return nil
}

// changed answers why a rollout may have ended otherwise than without kills: agents or relays that
// are away for long do not answer, and what was refused or harmful is never promoted for it.
func (out delivered) changed() string {
	got, want := out.state.Outcome.Result, out.delivery.cargo.end
	if got == want || got == rollout.PhasePromoted || want == rollout.PhaseRefused {
		return ""
	}
	for _, h := range out.hits {
		if (h.victim == oneAgent || h.victim == allAgents || h.victim == oneRelay) && h.at.Before(out.state.Outcome.EndedAt) {
			return h.String()
		}
	}
	return ""
}
