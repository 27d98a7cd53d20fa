package driver_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/agent"
	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/relay"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
)

// behind are real agents behind a real relay, and the driver that speaks to them.
type behind struct {
	t       *testing.T
	dir     string
	content bundle.Kept
	public  string
	key     string
	relay   *httptest.Server
	// away says that the relay answers nobody.
	away atomic.Bool
	// seen is how many bundles were brought.
	brought atomic.Int32
}

// newKey makes the texts of a public key and of its private one.
func newKey(t *testing.T) (string, []byte) {
	t.Helper()
	s, text, err := signature.Generate()
	require.NoError(t, err)
	return s.Key().String(), text
}

func newSigner(t *testing.T) signature.Signer {
	t.Helper()
	s, _, err := signature.Generate()
	require.NoError(t, err)
	return s
}

func newBehind(t *testing.T) *behind {
	t.Helper()
	b := &behind{t: t, dir: t.TempDir()}
	public, text := newKey(t)
	b.public, b.key = filepath.Join(b.dir, "order.pub"), filepath.Join(b.dir, "order.key")
	require.NoError(t, os.WriteFile(b.key, text, 0o600))
	require.NoError(t, os.WriteFile(b.public, []byte(public), 0o600))
	s, err := store.Dir(filepath.Join(b.dir, "of-worker"))
	require.NoError(t, err)
	b.content = bundle.Kept{Store: s}
	own, err := store.Dir(filepath.Join(b.dir, "of-relay"))
	require.NoError(t, err)
	h := relay.New(filepath.Join(b.dir, "relay"), own, slog.New(slog.DiscardHandler)).Handler()
	b.relay = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.away.Load() {
			panic(http.ErrAbortHandler)
		}
		if r.Method == http.MethodPut && bytes.Contains([]byte(r.URL.Path), []byte("/bundles/")) {
			b.brought.Add(1)
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(b.relay.Close)
	return b
}

func (b *behind) target(id string) fleet.Target {
	return fleet.Target{ID: id, Address: "nowhere.invalid:1", Labels: map[string]string{"region": "eu"}}
}

// agent starts an agent, which ends with the test or when it is told to.
func (b *behind) agent(id string) (end func()) {
	b.t.Helper()
	folder := filepath.Join(b.dir, id)
	require.NoError(b.t, os.MkdirAll(folder, 0o755))
	text := fmt.Sprintf(`{id: %s, listen: "127.0.0.1:0", folder: %s/agent, pull: {relay: "%s", cohort: eu, keys: ["file:%s"]},
units: {proxy: {to: %s/app, check: [sh, -c, "! cat {{dir}}/refuse"]}}}`, id, folder, b.relay.URL, b.public, folder)
	config, err := agent.Parse("agent.yaml", []byte(text))
	require.NoError(b.t, err)
	a, err := agent.Open(config, slog.New(slog.DiscardHandler))
	require.NoError(b.t, err)
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(ctx, func(string) {}) }()
	var once atomic.Bool
	end = func() {
		if once.CompareAndSwap(false, true) {
			cancel()
			require.NoError(b.t, <-ended)
		}
	}
	b.t.Cleanup(end)
	return end
}

func (b *behind) driver(change ...func(*driver.Agent)) driver.Driver {
	x := &driver.Agent{Via: b.relay.URL, Key: "file:" + b.key, Cohort: "{{label.region}}", Timeout: spec.Duration(20 * time.Second)}
	for _, f := range change {
		f(x)
	}
	x.SetDefaults()
	return x.Driver(http.DefaultTransport).(driver.Carrier).Carrying(b.content)
}

func (b *behind) release(version string, more ...string) string {
	b.t.Helper()
	dir := b.t.TempDir()
	for _, name := range append([]string{"version"}, more...) {
		require.NoError(b.t, os.WriteFile(filepath.Join(dir, name), []byte(version), 0o600))
	}
	made, err := b.content.Build(b.t.Context(), dir)
	require.NoError(b.t, err)
	return made.Release()
}

// give has all three steps of an order taken.
func (b *behind) give(d driver.Driver, id string, o driver.Order) {
	b.t.Helper()
	require.NoError(b.t, d.(driver.Preparer).Prepare(b.t.Context(), b.target(id), o))
	require.NoError(b.t, d.Apply(b.t.Context(), b.target(id), o))
	require.NoError(b.t, d.(driver.Settler).Settle(b.t.Context(), b.target(id), o))
}

// runs waits until a target is seen to run a release.
func (b *behind) runs(d driver.Driver, id, release string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		s, err := d.Observe(b.t.Context(), b.target(id), "proxy")
		return err == nil && s.Release == release && s.Alive
	}, 20*time.Second, 20*time.Millisecond)
}

func TestAgentsBehindARelay(t *testing.T) {
	b := newBehind(t)
	d := b.driver()
	_, err := d.Observe(t.Context(), b.target("web-1"), "proxy")
	require.ErrorContains(t, err, "has never reported")
	for _, id := range []string{"web-1", "web-2"} {
		b.agent(id)
		b.runs(d, id, "")
	}
	one, two := b.release("1"), b.release("2")
	for range 2 {
		b.give(d, "web-1", order(one, 7))
		b.runs(d, "web-1", one)
	}
	b.give(d, "web-2", order(one, 7))
	require.EqualValues(t, 1, b.brought.Load(), "the relay keeps it")
	require.NoError(t, d.Apply(t.Context(), b.target("web-1"), order(two, 8)), "brought once it is missed")
	b.runs(d, "web-1", two)
	b.runs(d, "web-2", one)

	err = d.Apply(t.Context(), b.target("web-1"), order(one, 6))
	require.ErrorIs(t, err, driver.ErrFenced)
	require.NoError(t, d.Apply(t.Context(), b.target("web-1"), order(one, 8)), "back by the same fence")
	require.NoError(t, d.Apply(t.Context(), b.target("web-2"), order("", 9)))
	b.runs(d, "web-2", "")

	bad := b.release("no such feature in line 7", "refuse")
	err = d.(driver.Preparer).Prepare(t.Context(), b.target("web-1"), order(bad, 20))
	require.ErrorIs(t, err, driver.ErrRefused)
	require.ErrorContains(t, err, "no such feature in line 7")
	b.runs(d, "web-1", one)
	require.ErrorIs(t, d.Apply(t.Context(), b.target("web/1"), order(one, 20)), driver.ErrRefused, "that is no id for a relay")
	require.ErrorContains(t, d.Apply(t.Context(), b.target("web-1"), order("2.4.1", 20)), "an agent takes bundles only")
}

// A key that the agent does not take is told in its words, at once.
func TestRelayAnotherKey(t *testing.T) {
	b := newBehind(t)
	b.agent("web-1")
	one := b.release("1")
	other := newBehind(t)
	err := b.driver(func(x *driver.Agent) { x.Key = "file:" + other.key }).Apply(t.Context(), b.target("web-1"), order(one, 7))
	require.ErrorIs(t, err, driver.ErrRefused)
	require.ErrorContains(t, err, "the signature is by key")
	require.ErrorContains(t, b.driver(func(x *driver.Agent) { x.Key = "file:" + b.public }).Apply(t.Context(), b.target("web-1"), order(one, 7)), "driver.agent.key: not the file of a minisign private key")
	require.ErrorContains(t, b.driver(func(x *driver.Agent) { x.Key = "file:/nowhere" }).Apply(t.Context(), b.target("web-1"), order(one, 7)), "driver.agent.key: ")
}

// An agent that is away when it is ordered, and comes back when nobody waits any more, takes nothing.
func TestRelayOrderThatNobodyWaitsFor(t *testing.T) {
	b := newBehind(t)
	d := b.driver()
	end := b.agent("web-1")
	one, two := b.release("1"), b.release("2")
	b.give(d, "web-1", order(one, 7))
	end()
	err := b.driver(func(x *driver.Agent) { x.Timeout = spec.Duration(1500 * time.Millisecond) }).Apply(t.Context(), b.target("web-1"), order(two, 8))
	require.ErrorContains(t, err, "has not answered the order at the relay within 1.5s")
	require.NotErrorIs(t, err, driver.ErrRefused)
	b.agent("web-1")
	require.Eventually(t, func() bool {
		data, err := os.ReadFile(filepath.Join(b.dir, "relay/reports/proxy/eu/web-1"))
		return err == nil && bytes.Contains(data, []byte("the order has expired"))
	}, 20*time.Second, 20*time.Millisecond)
	b.runs(d, "web-1", one)
}

// A report that is old says nothing.
func TestRelayOldReport(t *testing.T) {
	b := newBehind(t)
	d := b.driver()
	end := b.agent("web-1")
	b.runs(d, "web-1", "")
	end()
	past := time.Now().Add(-61 * time.Second)
	require.NoError(t, os.Chtimes(filepath.Join(b.dir, "relay/reports/proxy/eu/web-1"), past, past))
	_, err := d.Observe(t.Context(), b.target("web-1"), "proxy")
	require.ErrorContains(t, err, "has not reported to the relay for 1m1s")
	require.NotErrorIs(t, err, driver.ErrOther)
}

// A relay that is away in the middle of an order delays it.
func TestRelayIsAwayForAWhile(t *testing.T) {
	b := newBehind(t)
	d := b.driver()
	b.agent("web-1")
	one, two := b.release("1"), b.release("2")
	b.give(d, "web-1", order(one, 7))
	require.NoError(t, d.(driver.Preparer).Prepare(t.Context(), b.target("web-1"), order(two, 8)))
	b.away.Store(true)
	b.relay.CloseClientConnections()
	require.Error(t, d.Apply(t.Context(), b.target("web-1"), order(two, 8)))
	_, err := d.Observe(t.Context(), b.target("web-1"), "proxy")
	require.Error(t, err)
	b.away.Store(false)
	require.NoError(t, d.Apply(t.Context(), b.target("web-1"), order(two, 8)))
	b.runs(d, "web-1", two)
}

// A store that is gone in the middle of the way back is not needed: the relay has no bundle to bring.
func TestRelayGoesBackWithoutAStore(t *testing.T) {
	b := newBehind(t)
	d := b.driver()
	b.agent("web-1")
	one, two := b.release("1"), b.release("2")
	b.give(d, "web-1", order(one, 7))
	b.give(d, "web-1", order(two, 8))
	require.NoError(t, d.(driver.Settler).Settle(t.Context(), b.target("web-1"), order(two, 8)))
	require.NoError(t, os.RemoveAll(filepath.Join(b.dir, "of-worker")))
	require.NoError(t, os.RemoveAll(filepath.Join(b.dir, "of-relay")))
	require.NoError(t, d.Apply(t.Context(), b.target("web-1"), driver.Order{Unit: "proxy", Release: one, Fence: 9, Back: true}))
	b.runs(d, "web-1", one)
	report, err := os.ReadFile(filepath.Join(b.dir, "relay/reports/proxy/eu/web-1"))
	require.NoError(t, err)
	require.NotContains(t, string(report), two, "it is condemned")
	err = d.(driver.Preparer).Prepare(t.Context(), b.target("web-1"), order(b.absent(), 10))
	require.ErrorContains(t, err, "to the relay")
	require.NotErrorIs(t, err, driver.ErrRefused)
}

func (*behind) absent() string { return bundle.Digest([]byte("nothing")) }

// Any HTTP proxy may stand before the relay.
func TestAgentsBehindAProxy(t *testing.T) {
	b := newBehind(t)
	direct, err := url.Parse(b.relay.URL)
	require.NoError(t, err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(direct)
		r.Out.Header.Del("If-None-Match") // as caches do
	}, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)})
	t.Cleanup(proxy.Close)
	d := b.driver()
	b.relay.URL = proxy.URL
	b.agent("web-1")
	one := b.release("1")
	b.give(d, "web-1", order(one, 7))
	b.runs(d, "web-1", one)
}

// Who stops waiting for a bundle on its way to the relay leaves it to the others that wait for it.
func TestRelayUploadIsShared(t *testing.T) {
	b := newBehind(t)
	for _, id := range []string{"web-1", "web-2"} {
		b.agent(id)
		b.runs(b.driver(), id, "")
	}
	one := b.release("1")
	slow := &slowContent{Kept: b.content, opened: make(chan struct{}), open: make(chan struct{})}
	x := &driver.Agent{Via: b.relay.URL, Key: "file:" + b.key, Cohort: "eu", Timeout: spec.Duration(20 * time.Second)}
	d := x.Driver(http.DefaultTransport).(driver.Carrier).Carrying(slow).(driver.Preparer)
	ctx, leave := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- d.Prepare(ctx, b.target("web-1"), order(one, 7)) }()
	<-slow.opened
	go func() { second <- d.Prepare(t.Context(), b.target("web-2"), order(one, 7)) }()
	time.Sleep(50 * time.Millisecond) // most likely it waits by now
	leave()
	require.ErrorIs(t, <-first, context.Canceled)
	close(slow.open)
	require.NoError(t, <-second)
}

// slowContent opens its first archive once it is let.
type slowContent struct {
	bundle.Kept
	opened, open chan struct{}
	once         sync.Once
}

func (c *slowContent) Open(ctx context.Context, b bundle.Bundle) (io.ReadCloser, error) {
	c.once.Do(func() {
		close(c.opened)
		select {
		case <-c.open:
		case <-ctx.Done():
		}
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return c.Kept.Open(ctx, b)
}
