package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/relay/order"
)

const (
	// pollers is how many agents ask a relay, and polls how many times each.
	pollers, polls = 100, 50
	// held is how many polls a relay holds at once, and heldFor how long, in seconds.
	held, heldFor = 1000, 10
)

// server is a program that answers GETs of url.
type server struct {
	*stack.Process
	url string
}

func (b *boxes) close() {
	for _, s := range []*server{b.relay, b.sim} {
		if s != nil {
			s.Kill()
		}
	}
}

// polling is what a relay uses of a core for an agent that has the newest order and does not wait
// for another.
func (b *boxes) polling() pair {
	return pair{"relay: a poll without news", "µs of a core", "a GET of sluice-sim's /state", func(ctx context.Context) (float64, error) {
		return b.asked(ctx, b.openRelay, "", pollers, polls)
	}, func(ctx context.Context) (float64, error) { return b.asked(ctx, b.openSim, "", pollers, polls) }}
}

// holding is what a relay uses of a core for an agent that waits for another order in vain.
func (b *boxes) holding() pair {
	name := fmt.Sprintf("relay: a poll that waits %d s", heldFor)
	asked := func(query string, atOnce int) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) { return b.asked(ctx, b.openRelay, query, atOnce, 1) }
	}
	return pair{name, "µs of a core", "a poll that does not wait", asked(fmt.Sprintf("&wait=%d", heldFor), held), asked("", held)}
}

// asked is how many microseconds of a core a server uses for a GET, when so many clients make so
// many one after the other.
func (b *boxes) asked(ctx context.Context, open func(context.Context) (*server, error), query string, clients, times int) (float64, error) {
	s, err := open(ctx)
	if err != nil {
		return 0, err
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	errs := make([]error, clients)
	used := cpuOf(s.PID())
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for n := 0; n < times && errs[i] == nil; n++ {
				errs[i] = ask(ctx, client, http.MethodGet, s.url+query, nil)
			}
		})
	}
	wg.Wait()
	used = cpuOf(s.PID()) - used
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return used * 1e6 / float64(clients*times), nil
}

func ask(ctx context.Context, client *http.Client, method, url string, body io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err == nil {
		_, err = (&direct{client: client}).do(req)
	}
	return err
}

// openSim starts a sluice-sim, unless it runs.
func (b *boxes) openSim(ctx context.Context) (*server, error) {
	if b.sim != nil {
		return b.sim, nil
	}
	p, address, err := b.simulate(ctx)
	if err != nil {
		return nil, err
	}
	b.sim = &server{p, address + "/state"}
	return b.sim, nil
}

// openRelay starts a sluice-relay with an order, unless it runs. Its URL is that of an agent that
// has the order.
func (b *boxes) openRelay(ctx context.Context) (*server, error) {
	if b.relay != nil {
		return b.relay, nil
	}
	ports, err := stack.FreePorts(ctx, 1)
	if err != nil {
		return nil, err
	}
	address := stack.Loopback(ports[0])
	p := stack.NewProcess("relay", io.Discard, filepath.Join(b.bin, "sluice-relay"), "--folder", b.path("relay"), "--listen", address)
	b.relay = &server{p, "http://" + address + "/sluice/v1/orders/" + unit + "/" + order.DefaultCohort + "/agent-1"}
	if err := p.StartAnswering(ctx, "http://"+address+"/healthz"); err != nil {
		return nil, err
	}
	document, err := signedOrder("agent-1")
	if err != nil {
		return nil, err
	}
	if err := ask(ctx, http.DefaultClient, http.MethodPut, b.relay.url, bytes.NewReader(document)); err != nil {
		return nil, err
	}
	b.relay.url += "?have=" + url.QueryEscape(order.Tag(document))
	return b.relay, nil
}

// signedOrder is an order for one agent.
func signedOrder(id string) ([]byte, error) {
	by, _, err := signature.Generate()
	if err != nil {
		return nil, err
	}
	return order.Document{
		Unit: unit, Cohort: order.DefaultCohort, Selector: []string{id}, Step: order.Apply,
		Release: bundle.Digest(nil), Fence: 1, NotAfter: time.Now().Add(time.Hour),
	}.Sign(by)
}
