package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/pause"
)

// fetch brings a bundle from the relay. What is not the bundle may be a cache's fault, and is no
// word against the release.
func (p *puller) fetch(ctx context.Context, release string) error {
	resp, err := p.send(ctx, fetchTimeout, http.MethodGet, p.base.JoinPath("bundles", release), nil, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // what was read counts
	if resp.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: the relay lacks it, too", errNotHere)
	}
	if resp.StatusCode != http.StatusOK {
		return failure(resp)
	}
	_, err = p.agent.disk.receive(release, io.LimitReader(resp.Body, bundle.MaxPiece))
	switch {
	case errors.Is(err, bundle.ErrInvalid):
		return fmt.Errorf("fetching %s: %s", release, why(err))
	case err != nil:
		return fmt.Errorf("fetching %s: %w", release, err)
	}
	return nil
}

// report sends what the unit is, when it has changed and from time to time.
func (p *puller) report(ctx context.Context) {
	var sent []byte
	var since time.Time
	failures := 0
	for ctx.Err() == nil {
		rest := changeEvery
		body, err := json.Marshal(p.agent.status(p.unit))
		if err == nil && (!bytes.Equal(body, sent) || time.Since(since) >= reportEvery) {
			if err = p.put(ctx, body); err == nil {
				sent, since, failures = body, time.Now(), 0
			}
		}
		if err != nil {
			failures++
			p.complain(ctx, "reporting to the relay", err)
			_ = pause.For(ctx, backoff(failures, rand.Float64())) // the loop looks at ctx
			continue
		}
		again := time.NewTimer(rest)
		select {
		case <-ctx.Done():
		case <-p.changed:
		case <-again.C:
		}
		again.Stop()
	}
}

func (p *puller) put(ctx context.Context, body []byte) error {
	resp, err := p.send(ctx, requestTimeout, http.MethodPut, p.mine("reports"), body, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // nothing is expected in it
	if resp.StatusCode != http.StatusNoContent {
		return failure(resp)
	}
	return nil
}

// mine is the unit's place at the relay.
func (p *puller) mine(what string) *url.URL {
	return p.base.JoinPath(what, p.unit.name, p.cohort, p.agent.config.ID)
}

// send sends a request whose answer must be read within the time-out.
func (p *puller) send(
	ctx context.Context, timeout time.Duration, method string, where *url.URL, body []byte, query url.Values,
) (*http.Response, error) {
	u := *where
	u.RawQuery = query.Encode()
	limited, cancel := context.WithTimeout(ctx, timeout)
	req, err := http.NewRequestWithContext(limited, method, u.String(), bytes.NewReader(body))
	if err != nil {
		cancel()
		return nil, err
	}
	if have := query.Get("have"); have != "" {
		req.Header.Set("If-None-Match", strconv.Quote(have))
	}
	resp, err := p.client.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = ending{resp.Body, cancel}
	return resp, nil
}

// ending is a body whose end is that of its request.
type ending struct {
	io.ReadCloser
	end context.CancelFunc
}

// Close ends the request.
func (e ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

// failure words an answer that was not expected.
func failure(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxWhy)) // what there is says something
	return fmt.Errorf("%s %s: %s: %s", resp.Request.Method, resp.Request.URL.Redacted(), resp.Status, bytes.TrimSpace(body))
}
