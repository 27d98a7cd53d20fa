package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/fleet"
)

// direct makes the HTTP calls of a rollout from bare goroutines: no plan, no batches, no retries,
// no record.
type direct struct {
	targets []fleet.Target
	client  *http.Client
}

func newDirect(f fleet.Fleet) *direct {
	return &direct{targets: f.Targets, client: &http.Client{
		Timeout: 5 * time.Second,
		Transport: &http.Transport{ // the pool that the driver has
			DialContext:  (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConns: 2048, MaxIdleConnsPerHost: 256, DisableCompression: true,
		},
	}}
}

// prepare asks every target for a bundle that it lacks, brings it, and asks again.
func (d *direct) prepare(ctx context.Context, release string, piece []byte, parallel int) (time.Duration, error) {
	began := time.Now()
	err := d.each(parallel, func(url string) error {
		place, _, _ := strings.Cut(url, "/units/")
		for _, call := range []struct {
			method, url, kind string
			body              []byte
			want              int
		}{
			{http.MethodPost, url + "/prepare", "application/json", []byte(`{"release":"` + release + `"}`), http.StatusFailedDependency},
			{http.MethodPut, place + "/bundles/" + release, bundle.MediaType, piece, http.StatusCreated},
			{http.MethodPost, url + "/prepare", "application/json", []byte(`{"release":"` + release + `"}`), http.StatusNoContent},
		} {
			req, err := http.NewRequestWithContext(ctx, call.method, call.url, bytes.NewReader(call.body))
			if err != nil {
				return err
			}
			req.Header.Set("Content-Type", call.kind)
			if _, err := d.expect(req, call.want); err != nil {
				return err
			}
		}
		return nil
	})
	return time.Since(began), err
}

// forward observes every target, and then observes it again and orders the release.
func (d *direct) forward(ctx context.Context, release string, fence int64, parallel int) (time.Duration, error) {
	began := time.Now()
	err := d.each(parallel, func(url string) error { return d.observe(ctx, url, "") })
	if err != nil {
		return 0, err
	}
	err = d.each(parallel, func(url string) error {
		if err := d.observe(ctx, url, ""); err != nil {
			return err
		}
		return d.order(ctx, url, release, fence)
	})
	return time.Since(began), err
}

// back observes every target, orders the release and observes that it is there.
func (d *direct) back(ctx context.Context, release string, fence int64, parallel int) (time.Duration, error) {
	began := time.Now()
	err := d.each(parallel, func(url string) error {
		if err := d.observe(ctx, url, ""); err != nil {
			return err
		}
		if err := d.order(ctx, url, release, fence); err != nil {
			return err
		}
		return d.observe(ctx, url, release)
	})
	return time.Since(began), err
}

// slow makes every target answer late.
func (d *direct) slow(ctx context.Context, delay time.Duration) error {
	defer d.client.CloseIdleConnections()
	return d.each(50, func(url string) error {
		place, _, _ := strings.Cut(url, "/sluice/")
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, place+"/control", strings.NewReader(fmt.Sprintf(`{"delay":%q}`, delay)))
		if err != nil {
			return err
		}
		_, err = d.do(req)
		return err
	})
}

// each calls f for every target, with as many goroutines as parallel says.
func (d *direct) each(parallel int, f func(url string) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, parallel)
	for n := range parallel {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(d.targets) || errs[n] != nil {
					return
				}
				errs[n] = f("http://" + d.targets[i].Address + "/sluice/v1/units/" + unit)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// observe reads a target's state; want, unless empty, is what it must run.
func (d *direct) observe(ctx context.Context, url, want string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	body, err := d.do(req)
	if err != nil {
		return err
	}
	var s struct{ Release string }
	if err := json.Unmarshal(body, &s); err != nil {
		return err
	}
	if want != "" && s.Release != want {
		return fmt.Errorf("%s runs %q, expected %q", url, s.Release, want)
	}
	return nil
}

func (d *direct) order(ctx context.Context, url, release string, fence int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, bytes.NewReader([]byte(`{"release":"`+release+`"}`)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Sluice-Fence", strconv.FormatInt(fence, 10))
	_, err = d.do(req)
	return err
}

func (d *direct) do(req *http.Request) ([]byte, error) { return d.expect(req, 0) }

// expect refuses another status than the expected one; 0 expects success.
func (d *direct) expect(req *http.Request, status int) ([]byte, error) {
	res, err := d.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != status && (status != 0 || res.StatusCode/100 != 2) {
		err = fmt.Errorf("%s %s: %s: %.200s", req.Method, req.URL, res.Status, body)
	}
	return body, err
}
