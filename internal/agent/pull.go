package agent

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/relay/order"
)

const (
	// pollWait is how long a relay keeps a poll open: less than proxies wait for an answer.
	pollWait = 20 * time.Second
	// pollLeast is how long a poll that brings nothing takes with the pause after it, so that a
	// cache that answers at once is not asked without end.
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

	// mu guards the release of the document that is under way, and what ends the wait for it.
	mu    sync.Mutex
	about string
	leave context.CancelFunc
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
