// Package agent keeps configurations of programs on one machine: it takes bundles and orders, has
// the program check them, switches a symbolic link, and goes back by itself where the program does
// not run what it was given. Whatever fails, the link leads to a whole release that worked, or to
// nothing where there has been none; the program starts without the agent.
//
// What is decided is in decide.go and pure; disk.go, bundles.go and consumer.go do it. The link is
// the truth about what runs, the rest is in a file per unit that is written before the link is
// switched. See docs/agent.md.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/relay/order"
	"github.com/sluicehq/sluice/internal/terminal"
)

const (
	// lookEvery is how often files are compared with their bundle, and old ones removed.
	lookEvery = time.Minute
	// patience is how long an order waits for another of its unit before it is told to come again.
	patience = 2 * time.Second
)

// errBusy says that another order of the unit is being carried out.
var errBusy = errors.New("another order is being carried out: try again")

// Agent serves the units of one machine. Open makes it.
type Agent struct {
	config Config
	disk   disk
	lock   *os.File
	relay  *source // nil where workers reach the agent
	log    *slog.Logger
	units  map[string]*runner

	running sync.WaitGroup
	life    context.Context //nolint:containedctx // of what goes on after whoever asked for it has left
	end     context.CancelFunc
}

// runner sees to it that one order of a unit is carried out at a time, and to its end.
type runner struct {
	*unit
	orders   singleflight.Group
	applying chan struct{} // holds one while an order, or a look, is under way
	checking chan struct{} // holds one while a release is prepared
}

// Open takes the folder and looks where the links lead. It changes nothing that a consumer reads.
func Open(config Config, log *slog.Logger) (*Agent, error) {
	return open(config, log, func(string) {})
}

func open(config Config, log *slog.Logger, at func(string)) (*Agent, error) {
	d, lock, err := openDisk(config.Folder, slices.Collect(maps.Keys(config.Units)), at)
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	if err := d.refill(); err != nil { // what is there needs no space
		log.Error("keeping space for states", "error", err)
	}
	from, err := openRelay(config.Pull)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	a := &Agent{config: config, disk: d, lock: lock, relay: from, log: log, units: map[string]*runner{}}
	a.life, a.end = context.WithCancel(context.Background())
	for name, settings := range config.Units {
		u, err := a.openUnit(name, settings)
		if err != nil {
			a.end()
			return nil, errors.Join(fmt.Errorf("unit %s: %w", name, err), lock.Close())
		}
		a.units[name] = u
	}
	return a, nil
}

func (a *Agent) openUnit(name string, settings Unit) (*runner, error) {
	c, err := newConsumer(a.config.ID, name, settings)
	if err != nil {
		return nil, err
	}
	keys, err := readKeys("keys", settings.Keys)
	if err != nil {
		return nil, err
	}
	l := link{a.disk, name, settings.To, new(sync.Mutex)}
	if info, err := os.Stat(filepath.Dir(l.to)); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("to: %s is not in a folder: %w", l.to, errors.Join(err, os.ErrNotExist))
	}
	if _, err := l.leads(); err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	if err := l.sweepLink(); err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	state, err := a.disk.loadState(name)
	if err != nil {
		return nil, err
	}
	return &runner{
		applying: make(chan struct{}, 1), checking: make(chan struct{}, 1),
		unit: &unit{
			name: name, keep: settings.Keep, heal: settings.OnDrift == Heal, interval: time.Duration(settings.MinReloadInterval),
			consumer: c, keys: keys, link: l, log: a.log, now: seen{state: state}, holding: map[string]int{}, coming: map[*Order]bool{},
		},
	}, nil
}

// Close lets orders that are under way end until ctx does, and leaves the others to the next start.
func (a *Agent) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() { a.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	a.end()
	<-done
	return a.lock.Close()
}

// Start carries on where a crash left orders half-way, and looks after every unit until ctx ends.
func (a *Agent) Start(ctx context.Context) {
	for _, u := range a.units {
		u.applying <- struct{}{} // no order comes before it
		a.running.Go(func() {
			defer func() { <-u.applying }()
			err := u.recover(a.life)
			if err == nil {
				err = u.look(a.life)
			}
			a.tell(u, err)
		})
		if a.relay != nil {
			a.pull(ctx, u)
		}
	}
	a.running.Go(func() {
		for pause.For(ctx, lookEvery) == nil {
			a.lookAfter(ctx)
		}
	})
}

// lookAfter looks at each unit that is not busy, and removes what is not kept.
func (a *Agent) lookAfter(ctx context.Context) {
	for _, u := range a.units {
		select {
		case u.applying <- struct{}{}:
			a.tell(u, u.look(ctx))
			<-u.applying
		default:
		}
	}
	if err := errors.Join(a.collect(time.Now()), a.disk.refill()); err != nil {
		a.log.Error("removing old releases, and keeping space for states", "error", err)
	}
	debug.FreeOSMemory() // a large table was read, and the memory is others' for the next minute
}

func (a *Agent) tell(u *runner, err error) {
	if err != nil {
		a.log.Error("looking after a unit", "unit", u.name, "error", err)
	}
	if drift := u.seen().drift; drift != nil {
		a.log.Warn("drift", "unit", u.name, "error", drift)
	}
}

// collect removes the files and bundles that no unit keeps.
func (a *Agent) collect(now time.Time) error {
	keep := map[string]bool{}
	for _, u := range a.units {
		kept, err := u.collect()
		if err != nil {
			return fmt.Errorf("unit %s: %w", u.name, err)
		}
		maps.Copy(keep, kept)
	}
	return a.disk.collectBundles(keep, now)
}

// order carries out an order to its end, also when ctx ends before; whoever gives the same one
// meanwhile waits for it, too.
func (a *Agent) order(ctx context.Context, u *runner, o Order) error {
	if bar := u.seen().state.bar(o.Key); o.Fence < bar {
		return fmt.Errorf("%w, with the fence %d", errFenced, bar)
	}
	defer u.displace(o)()
	key := fmt.Sprintf("order %s %d %s %t", o.Key, o.Fence, o.Release, o.Back)
	return a.once(ctx, u, key, u.applying, func() error { return u.apply(a.life, o) })
}

// prepare unpacks and checks a release.
func (a *Agent) prepare(ctx context.Context, u *runner, release string) error {
	return a.once(ctx, u, "prepare "+release, u.checking, func() error { return u.prepare(a.life, release) })
}

func (a *Agent) once(ctx context.Context, u *runner, key string, slot chan struct{}, do func() error) error {
	a.running.Add(1) // here, before Close can find that nothing runs
	result := u.orders.DoChan(key, func() (any, error) {
		limit := time.NewTimer(patience)
		defer limit.Stop()
		select {
		case slot <- struct{}{}:
		case <-limit.C:
			return nil, errBusy
		case <-a.life.Done():
			return nil, errBusy
		}
		defer func() { <-slot }()
		return nil, do()
	})
	select {
	case r := <-result:
		a.running.Done()
		return r.Err
	case <-ctx.Done():
		go func() { <-result; a.running.Done() }()
		return context.Cause(ctx)
	}
}

// Status is what an agent says about a unit.
type Status struct {
	Release string `json:"release"`
	Fence   int64  `json:"fence"`
	Alive   bool   `json:"alive"`
	Detail  string `json:"detail"`
	ID      string `json:"id"`
	Unit    string `json:"unit"`
	// Good are the releases whose rollouts settled, newest first.
	Good []string `json:"good"`
	// Desired is the newest order, State how far it is, and Why it was refused.
	Desired Desired `json:"desired"`
	State   Phase   `json:"state"`
	Why     string  `json:"why"`
	// Prepared are the releases that were unpacked and checked, newest first.
	Prepared []string `json:"prepared"`
	// Answer is what came of the newest order from a relay.
	Answer *order.Answer `json:"answer,omitempty"`
}

// Desired is an order.
type Desired struct {
	Release string `json:"release"`
	Fence   int64  `json:"fence"`
}

// status says what runs, by where the link leads.
func (a *Agent) status(u *runner) Status {
	now := u.seen()
	s := now.state
	running, err := u.link.running()
	st := Status{
		Release: running, Fence: s.bar(a.relay.keyIDs()...), ID: a.config.ID, Unit: u.name,
		Good: append([]string{}, s.Good...), Prepared: append([]string{}, s.Prepared...),
		Desired: Desired{s.Desired, s.Fence}, State: s.Phase, Why: s.Why, Answer: now.answer,
	}
	if s.Broken != "" {
		err = errors.Join(err, errors.New(s.Broken))
	}
	if err = errors.Join(err, now.drift); err != nil {
		st.Detail = why(err)
	}
	st.Alive = err == nil
	return st
}

// maxWhy bounds a reason, in bytes: room for all that is kept of what a program says, whose end
// matters most.
const maxWhy = 3 << 10

// why is an error in one line.
func why(err error) string { return terminal.OneLine(err.Error(), maxWhy) }
