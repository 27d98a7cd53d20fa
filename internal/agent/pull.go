package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/relay/order"
)

const (
	// pollWait is how long a relay keeps a poll open: less than proxies wait for an answer.
	pollWait = 20 * time.Second
	// pollLeast is how long a poll that brings nothing takes with the pause after it, so that a cache
	// that answers at once is not asked without end.
	pollLeast = 2 * time.Second
	// reportEvery is how often a report goes to the relay when nothing changes. A worker takes one
	// that is three times as old for silence.
	reportEvery = 20 * time.Second
	// changeEvery is how often the agent looks whether its report has changed.
	changeEvery = time.Second
	// mostBackoff is the longest pause after a relay did not answer, before jitter.
	mostBackoff = 15 * time.Second
	// requestTimeout is how long a relay may take for an answer, beyond what it is asked to wait.
	requestTimeout = 15 * time.Second
	// fetchTimeout bounds how long a bundle is on its way.
	fetchTimeout = 10 * time.Minute
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

// source is where an agent takes orders from.
type source struct {
	cohort string
	keys   []signature.Key
	base   *url.URL
	client *dial.Client
}

// openRelay reads the keys.
func openRelay(p *Pull) (*source, error) {
	if p == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	keys, err := readKeys("pull.keys", p.Keys)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(p.Relay)
	if err != nil {
		return nil, fmt.Errorf("pull.relay: %w", err)
	}
	client := dial.Access{Token: p.Token, TLS: p.TLS}.Client(dial.Guard{}.Transport())
	return &source{cohort: p.Cohort, keys: keys, base: base.JoinPath("sluice", "v1"), client: client}, nil
}

// keyIDs are those whose fences count: that of orders that are given directly has an empty id.
func (r *source) keyIDs() []string {
	if r == nil {
		return []string{""}
	}
	ids := make([]string, len(r.keys))
	for i, k := range r.keys {
		ids[i] = k.ID()
	}
	return ids
}

// puller takes the orders for a unit, carries them out one at a time, and reports on it.
type puller struct {
	*source
	agent *Agent
	unit  *runner
	// changed holds one when there is something to report.
	changed chan struct{}
	have    string // the tag of the newest document
	// next holds the newest document until it is begun.
	next chan fetched
}

// fetched is a document with the Date of its answer, when that came, and what is called once it is over.
type fetched struct {
	data []byte
	date string
	came time.Time
	over func()
}

func (a *Agent) pull(ctx context.Context, u *runner) {
	p := &puller{source: a.relay, agent: a, unit: u, changed: make(chan struct{}, 1), next: make(chan fetched, 1)}
	a.running.Go(func() { p.poll(ctx) })
	a.running.Go(func() { p.carry(ctx) })
	a.running.Go(func() { p.report(ctx) })
}

// backoff is the pause after as many failures in a row, where chance is from 0 to 1.
func backoff(failures int, chance float64) time.Duration {
	d := min(time.Second<<min(failures-1, 10), mostBackoff)
	return time.Duration((0.5 + chance) * float64(d))
}

// poll asks for orders until ctx ends.
func (p *puller) poll(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		began := time.Now()
		fresh, err := p.once(ctx)
		rest := time.Duration(0)
		switch {
		case err != nil:
			failures++
			rest = backoff(failures, rand.Float64())
			p.complain(ctx, "asking the relay for orders", err)
		case !fresh:
			failures = 0
			rest = time.Duration((0.5+rand.Float64())*float64(pollLeast)) - time.Since(began)
		default:
			failures = 0
		}
		if pause.For(ctx, max(0, rest)) != nil {
			return
		}
	}
}

func (p *puller) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		p.agent.log.Warn(what, "unit", p.unit.name, "error", p.client.Redact(why(err)))
	}
}

// once asks for an order that is another than the newest, and leaves it to be carried out.
func (p *puller) once(ctx context.Context) (fresh bool, err error) {
	resp, err := p.send(ctx, requestTimeout+pollWait, http.MethodGet, p.mine("orders"), nil, url.Values{
		"have": {p.have}, "wait": {strconv.Itoa(int(pollWait.Seconds()))},
	})
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	switch resp.StatusCode {
	case http.StatusNoContent, http.StatusNotModified:
		p.unit.polled(time.Now())
		return false, nil
	case http.StatusOK:
	default:
		return false, failure(resp)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, order.MaxSize+1))
	if err != nil {
		return false, err
	}
	p.unit.polled(time.Now())
	tag := order.Tag(data)
	if tag == p.have { // a cache has not seen that it is known
		return false, nil
	}
	p.have = tag
	p.take(fetched{data: data, date: resp.Header.Get("Date"), came: time.Now(), over: func() {}})
	return true, nil
}

// take leaves a document to be carried out after what is under way, in the place of one that has not begun: nobody waits
// for that any more. What only waits for its reload ends for it.
func (p *puller) take(f fetched) {
	if d, err := p.admit(f.data, f.date); err == nil && d.Step == order.Apply {
		f.over = p.unit.displace(ordered(d, f.date))
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
			err := p.obey(ctx, f.data, later(f.date, time.Since(f.came)))
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
		return fmt.Errorf("%w: it was good until %s; it is %s at the relay, and %s by this host's clock", errExpired, at(notAfter), at(theirs), at(own))
	}
	return nil
}

func at(t time.Time) string { return t.UTC().Format(time.RFC3339) }
