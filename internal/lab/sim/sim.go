// Package sim is a fleet to try things on: many targets in one process, on one loopback port. Every
// target serves the contract of the http driver and a metrics page with counters that grow from
// synthetic traffic, and restarts (its counters begin at zero) when its release changes. Releases
// carry faults by their name; see the table at faults.
//
// Traffic is a function of the seed, the target and the time, so that two runs with the same orders
// at the same times count the same.
package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/pause"
)

// maxTargets bounds a simulation; 10,000 run well in one process.
const maxTargets = 100_000

// Options say what to simulate. The zero value is 12 targets of the unit "demo" on release "1.0.0",
// 20 requests per second each, on a free loopback port.
type Options struct {
	Targets int
	// Seed chooses the noise.
	Seed uint64
	// Listen is host:port, default 127.0.0.1:0.
	Listen string
	// RPS is how many requests per second each target gets.
	RPS float64
	// Unit is the only unit that the targets know.
	Unit string
	// AnyUnit has them answer to whatever unit they are asked for, as if it were theirs.
	AnyUnit bool
	// Release is what every target runs at first.
	Release string
	// StateDir, when set, keeps every order in a file, from which the next simulation with the same
	// options and folder continues, even after a SIGKILL. Time goes on in between, and with it
	// traffic.
	StateDir string
	// Delay is how late every target's agent answers, until /control says otherwise.
	Delay time.Duration
	// Token, when set, is demanded as a bearer token with every order.
	Token string
	// Wrap, when set, is put around everything that is served, to see requests.
	Wrap func(http.Handler) http.Handler
	// Now is the clock, default time.Now.
	Now func() time.Time
}

func (o *Options) setDefaults() error {
	o.Targets = cmp.Or(o.Targets, 12)
	o.Listen = cmp.Or(o.Listen, "127.0.0.1:0")
	o.RPS = cmp.Or(o.RPS, 20)
	o.Unit = cmp.Or(o.Unit, "demo")
	o.Release = cmp.Or(o.Release, "1.0.0")
	if o.Now == nil {
		o.Now = time.Now
	}
	switch {
	case o.Targets < 1 || o.Targets > maxTargets:
		return fmt.Errorf("sim: %d targets, expected 1 to %d", o.Targets, maxTargets)
	case !(o.RPS > 0 && o.RPS <= 10_000):
		return fmt.Errorf("sim: %g requests per second and target, expected more than 0 and at most 10000", o.RPS)
	}
	return nil
}

// Fleet is a running simulation. Its methods are safe for concurrent use.
type Fleet struct {
	conf    Options
	addr    string
	start   time.Time
	places  []*place // sorted by id
	byID    map[string]*place
	journal *journal
	server  *http.Server
	close   func() error
	wg      sync.WaitGroup
}

// Start runs a fleet until Close, or until ctx ends.
func Start(ctx context.Context, o Options) (*Fleet, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	h := header{Start: o.Now().UTC().Round(0), Seed: o.Seed, Targets: o.Targets, Unit: o.Unit, Release: o.Release, RPS: o.RPS}
	j, h, err := openJournal(o.StateDir, h)
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	f := &Fleet{conf: o, start: h.Start, byID: map[string]*place{}, journal: j}
	for i, id := range ids(o.Targets) {
		p := newPlace(id, i, &f.conf, h.Start)
		p.delay = o.Delay
		f.places, f.byID[id] = append(f.places, p), p
	}
	for _, e := range j.entries {
		if err := f.again(e); err != nil {
			return nil, errors.Join(fmt.Errorf("sim: state: %w", err), j.close())
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sim: %w", err), j.close())
	}
	f.addr = listener.Addr().String()
	ctx, stop := context.WithCancel(ctx)
	f.close = sync.OnceValue(func() error {
		stop()
		f.wg.Wait()
		return f.journal.close()
	})
	handler := f.handler()
	if o.Wrap != nil {
		handler = o.Wrap(handler)
	}
	f.server = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	f.wg.Go(func() { _ = f.server.Serve(listener) })
	f.wg.Go(func() { f.catchUp(ctx) })
	return f, nil
}

// now is wall time alone, so that what the journal keeps is all there was.
func (f *Fleet) now() time.Time { return f.conf.Now().UTC().Round(0) }

// again repeats an entry of an earlier process.
func (f *Fleet) again(e Entry) error {
	p, ok := f.byID[e.Target]
	if !ok {
		return fmt.Errorf("target %q is not in the fleet", e.Target)
	}
	if e.Drift {
		p.drift(e.Release, e.Time)
	} else {
		p.order(e.Release, e.Fence, e.Time)
	}
	return nil
}

// catchUp serves traffic now and then, so that no reader has to wait for hours of it, and closes
// the server when ctx ends.
func (f *Fleet) catchUp(ctx context.Context) {
	for pause.For(ctx, 2*time.Second) == nil {
		now := f.now()
		for _, p := range f.places {
			p.page(now) // of no interest, but it catches up
		}
	}
	_ = f.server.Close()
}

// Close stops the fleet; a second time it does nothing. The state in StateDir stays.
func (f *Fleet) Close() error { return f.close() }

// URL is the base URL of the simulation: /metrics for all targets, /log, /state, and /t/ID/ for
// each target.
func (f *Fleet) URL() string { return "http://" + f.addr }

// Inventory is the fleet to roll out to. Addresses are host:port/t/ID.
func (f *Fleet) Inventory() fleet.Fleet {
	var inv fleet.Fleet
	for _, p := range f.places {
		region, _, _ := strings.Cut(p.id, "-")
		inv.Targets = append(inv.Targets, fleet.Target{
			ID: p.id, Address: f.addr + "/t/" + p.id, Labels: map[string]string{"region": region, "tier": tier(p.id)},
		})
	}
	return inv
}

// FleetFile is the inventory as a fleet file.
func (f *Fleet) FleetFile() []byte {
	var b strings.Builder
	b.WriteString("# A simulated fleet. Its targets live as long as the simulation does.\ntargets:\n")
	for _, t := range f.Inventory().Targets {
		fmt.Fprintf(&b, "  - {id: %s, address: %q, labels: {region: %s, tier: %s}}\n",
			t.ID, t.Address, t.Labels["region"], t.Labels["tier"])
	}
	return []byte(b.String())
}

// ids are eu-01, ap-01, us-01, eu-02 and so on, sorted.
func ids(n int) []string {
	width := max(2, len(fmt.Sprint((n+2)/3)))
	all := make([]string, 0, n)
	for i := range n {
		all = append(all, fmt.Sprintf("%s-%0*d", []string{"eu", "us", "ap"}[i%3], width, i/3+1))
	}
	slices.Sort(all)
	return all
}

// tier makes the first of every ten targets of a region internal, and a third of the others paying.
func tier(id string) string {
	_, digits, _ := strings.Cut(id, "-")
	n, _ := strconv.Atoi(digits)
	switch {
	case n%10 == 1:
		return "internal"
	case n%3 == 0:
		return "paying"
	default:
		return "free"
	}
}

// State is what every target tells of itself, sorted by id.
func (f *Fleet) State() []TargetState {
	now := f.now()
	states := make([]TargetState, 0, len(f.places))
	for _, p := range f.places {
		states = append(states, p.state(now))
	}
	return states
}

// Log is every order that reached a target so far, oldest first.
func (f *Fleet) Log() []Entry { return f.journal.all() }
