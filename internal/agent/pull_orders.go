package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/relay/order"
)

// Errors of orders from a relay. None of them switches anything.
var (
	// errNotMine says that an order is not for this unit and target by a key that has a say.
	errNotMine = errors.New("not an order for this target")
	// errExpired says that an order came too late.
	errExpired = errors.New("the order has expired")
	// errPulled says that a unit takes no orders but a relay's.
	errPulled = errors.New("this agent takes orders from its relay only (pull)")
)

// fetched is a document with the Date of its answer, when that came, and what is called once it is
// over.
type fetched struct {
	data []byte
	date string
	came time.Time
	over func()
}

// take leaves a document to be carried out after what is under way, in the place of one that has
// not begun: nobody waits for that any more. What waits for its reload, or fetches another release,
// ends for it.
func (p *puller) take(f fetched) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d, err := p.admit(f.data, f.date)
	if err == nil && d.Step == order.Apply {
		f.over = p.unit.displace(ordered(d, f.date))
	}
	if err == nil && p.leave != nil && d.Release != p.about {
		p.leave()
	}
	select {
	case before := <-p.next:
		before.over()
	default:
	}
	p.next <- f
}

// carry carries documents out until ctx ends.
func (p *puller) carry(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-p.next:
			err := p.begin(ctx, f)
			f.over()
			if ctx.Err() != nil {
				return // the next start carries it out
			}
			p.unit.answer(order.Tag(f.data), err)
			if err != nil {
				p.agent.log.Warn("order", "unit", p.unit.name, "error", why(err))
			}
			select {
			case p.changed <- struct{}{}:
			default:
			}
		}
	}
}

// begin carries a document out, unless another one has come.
func (p *puller) begin(ctx context.Context, f fetched) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	d, _ := order.Read(f.data) // one that is none is told by obey
	set := func(release string, leave context.CancelFunc) (another bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.about, p.leave = release, leave
		return len(p.next) > 0
	}
	defer set("", nil)
	if set(d.Release, leave) {
		return errBusy
	}
	return p.obey(ctx, f.data, later(f.date, time.Since(f.came)))
}

// ordered is what a document orders that came with a Date.
func ordered(d order.Document, date string) Order {
	until := d.NotAfter
	if theirs, err := http.ParseTime(date); err == nil {
		until = time.Now().Add(until.Sub(theirs.Add(dateStep)))
	}
	return Order{Release: d.Release, Fence: d.Fence, Key: d.KeyID, Back: d.Back, Until: until}
}

// later is a Date some time afterwards.
func later(date string, by time.Duration) string {
	t, err := http.ParseTime(date)
	if err != nil {
		return date
	}
	return t.Add(by).Format(http.TimeFormat)
}

// obey carries out what a document orders.
func (p *puller) obey(ctx context.Context, data []byte, date string) error {
	d, err := p.admit(data, date)
	if err != nil {
		return err
	}
	o := ordered(d, date)
	do := func() error {
		if d.Step == order.Settle {
			return p.unit.settle(o)
		}
		if err := p.unit.trust(o.Release, d.Signatures); err != nil {
			return err
		}
		if d.Step == order.Prepare {
			return p.agent.prepare(ctx, p.unit, o.Release)
		}
		return p.agent.order(ctx, p.unit, o)
	}
	fetched := false
	for {
		switch err := do(); {
		case errors.Is(err, errNotHere) && !fetched:
			if err := p.fetch(ctx, o.Release); err != nil {
				return err
			}
			fetched = true
		case errors.Is(err, errBusy):
			if time.Now().After(o.Until) {
				return err
			}
			if err := pause.For(ctx, time.Second); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// admit reads a document, and refuses one that is not for this target now.
func (p *puller) admit(data []byte, date string) (order.Document, error) {
	d, err := order.Verify(data, p.keys)
	if err != nil {
		return d, fmt.Errorf("%w: %w", errNotMine, err)
	}
	id := p.agent.config.ID
	switch s := p.unit.seen().state; {
	case d.Unit != p.unit.name:
		return d, fmt.Errorf("%w: it is for the unit %s", errNotMine, d.Unit)
	case d.Cohort != p.cohort:
		return d, fmt.Errorf("%w: it is for the cohort %s, and this is %s", errNotMine, d.Cohort, p.cohort)
	case !slices.Contains(d.Selector, id):
		return d, fmt.Errorf("%w: it does not select %s", errNotMine, id)
	case d.Fence < s.bar(p.keyIDs()...):
		return d, fmt.Errorf("%w, with the fence %d", errFenced, s.bar(p.keyIDs()...))
	}
	return d, expired(d.NotAfter, time.Now(), date)
}

// dateStep is the smallest part of a Date.
const dateStep = time.Second

// maxSkew is how wrong the host's clock may be for an order to be good by the relay's.
const maxSkew = 10 * time.Minute

// expired says that an order is good no more, by the host's clock and by the Date that came with
// it. The relay's clock counts where there is one, since it is most often the worker's, too; a
// relay that lies can prolong an order by maxSkew only.
func expired(notAfter, own time.Time, date string) error {
	theirs, err := http.ParseTime(date)
	if err != nil {
		if own.After(notAfter) {
			return fmt.Errorf("%w: it was good until %s, and it is %s", errExpired, at(notAfter), at(own))
		}
		return nil
	}
	theirs = theirs.Add(dateStep)
	if theirs.After(notAfter) || own.After(notAfter.Add(maxSkew)) {
		return fmt.Errorf("%w: it was good until %s; it is %s at the relay, and %s by this host's clock",
			errExpired, at(notAfter), at(theirs), at(own))
	}
	return nil
}

func at(t time.Time) string { return t.UTC().Format(time.RFC3339) }
