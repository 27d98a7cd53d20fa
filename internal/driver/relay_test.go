package driver_test

import (
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
)

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

// relayed are real agents behind a real relay, and the driver that speaks to them with short names
// for releases.
func relayed(t *testing.T) named {
	t.Helper()
	a := newRelayed(t)
	return named{a, a.driver(20 * time.Second)}
}

// give has all three steps of an order taken.
func (n named) give(id string, o driver.Order) {
	n.t.Helper()
	where := n.target(id)
	require.NoError(n.t, n.Prepare(n.t.Context(), where, o))
	require.NoError(n.t, n.Apply(n.t.Context(), where, o))
	require.NoError(n.t, n.Settle(n.t.Context(), where, o))
}

// shows waits until a target is seen to run a release.
func (n named) shows(id, release string) {
	n.t.Helper()
	where := n.target(id)
	require.Eventually(n.t, func() bool {
		s, err := n.Observe(n.t.Context(), where, "proxy")
		return err == nil && s.Release == release && s.Alive
	}, 20*time.Second, 20*time.Millisecond)
}

func TestAgentsBehindARelay(t *testing.T) {
	b := relayed(t)
	_, err := b.Observe(t.Context(), fleet.Target{ID: "web-9", Labels: map[string]string{"place": "x"}}, "proxy")
	require.ErrorContains(t, err, "has never reported")
	one, two := b.target("web-1"), b.target("web-2")
	b.shows("web-1", "")
	b.shows("web-2", "")
	for range 2 {
		b.give("web-1", order("1", 7))
		b.shows("web-1", "1")
	}
	b.give("web-2", order("1", 7))
	require.EqualValues(t, 1, b.relay.brought.Load(), "the relay keeps it")
	require.NoError(t, b.Apply(t.Context(), one, order("2", 8)), "brought once it is missed")
	b.shows("web-1", "2")
	b.shows("web-2", "1")

	require.ErrorIs(t, b.Apply(t.Context(), one, order("1", 6)), driver.ErrFenced)
	require.NoError(t, b.Apply(t.Context(), one, order("1", 8)), "back by the same fence")
	require.NoError(t, b.Apply(t.Context(), two, order("", 9)))
	b.shows("web-2", "")

	b.host("web-1").write("refuse", "no such feature in line 7\n")
	err = b.Prepare(t.Context(), one, order("3", 20))
	require.ErrorIs(t, err, driver.ErrRefused)
	require.ErrorContains(t, err, "no such feature in line 7")
	b.shows("web-1", "1")
	slashed := fleet.Target{ID: "web/1", Labels: one.Labels}
	require.ErrorIs(t, b.Apply(t.Context(), slashed, order("1", 20)), driver.ErrRefused, "that is no id for a relay")
	require.ErrorContains(t, b.Driver.Apply(t.Context(), one, order("2.4.1", 20)), "an agent takes bundles only")
}

// A key that the agent does not take is told in its words, at once.
func TestRelayAnotherKey(t *testing.T) {
	b := relayed(t)
	where, o := b.target("web-1"), b.order(order("1", 7))
	with := func(file string) error {
		return b.driver(20*time.Second, func(x *driver.Agent) { x.Key = "file:" + file }).Apply(t.Context(), where, o)
	}
	err := with(newRelayed(t).relay.key)
	require.ErrorIs(t, err, driver.ErrRefused)
	require.ErrorContains(t, err, "the signature is by key")
	require.ErrorContains(t, with(b.relay.key+".pub"), "driver.agent.key: not the file of a minisign private key")
	require.ErrorContains(t, with("/nowhere"), "driver.agent.key: ")
}

// An agent that is away when it is ordered, and comes back when nobody waits any more, takes
// nothing.
func TestRelayOrderThatNobodyWaitsFor(t *testing.T) {
	b := relayed(t)
	b.give("web-1", order("1", 7))
	b.host("web-1").stop()
	err := b.driver(1500*time.Millisecond).Apply(t.Context(), b.target("web-1"), b.order(order("2", 8)))
	require.ErrorContains(t, err, "has not answered the order at the relay within 1.5s")
	require.NotErrorIs(t, err, driver.ErrRefused)
	b.host("web-1").start()
	require.Eventually(t, func() bool {
		return strings.Contains(b.relay.report("web-1"), "the order has expired")
	}, 20*time.Second, 20*time.Millisecond)
	b.shows("web-1", "1")
}

// A report that is old says nothing.
func TestRelayOldReport(t *testing.T) {
	b := relayed(t)
	b.shows("web-1", "")
	b.host("web-1").stop()
	past := time.Now().Add(-61 * time.Second)
	require.NoError(t, os.Chtimes(b.relay.reportFile("web-1"), past, past))
	_, err := b.Observe(t.Context(), b.target("web-1"), "proxy")
	require.ErrorContains(t, err, "has not reported to the relay for 1m1s")
	require.NotErrorIs(t, err, driver.ErrOther)
}

// A relay that is away in the middle of an order delays it.
func TestRelayIsAwayForAWhile(t *testing.T) {
	b := relayed(t)
	where := b.target("web-1")
	b.give("web-1", order("1", 7))
	require.NoError(t, b.Prepare(t.Context(), where, order("2", 8)))
	b.relay.away.Store(true)
	b.relay.CloseClientConnections()
	require.Error(t, b.Apply(t.Context(), where, order("2", 8)))
	_, err := b.Observe(t.Context(), where, "proxy")
	require.Error(t, err)
	b.relay.away.Store(false)
	require.NoError(t, b.Apply(t.Context(), where, order("2", 8)))
	b.shows("web-1", "2")
}

// A store that is gone in the middle of the way back is not needed: the relay has no bundle to
// bring.
func TestRelayGoesBackWithoutAStore(t *testing.T) {
	b := relayed(t)
	where := b.target("web-1")
	b.give("web-1", order("1", 7))
	b.give("web-1", order("2", 8))
	require.NoError(t, b.Settle(t.Context(), where, order("2", 8)))
	require.NoError(t, os.RemoveAll(b.kept.Store.Folder()))
	require.NoError(t, os.RemoveAll(filepath.Join(b.dir, "of-relay")))
	require.NoError(t, b.Apply(t.Context(), where, driver.Order{Unit: "proxy", Release: "1", Fence: 9, Back: true}))
	b.shows("web-1", "1")
	require.NotContains(t, b.relay.report("web-1"), b.release("2"), "it is condemned")
	err := b.Driver.(driver.Preparer).Prepare(t.Context(), where, order(bundle.Digest([]byte("nothing")), 10))
	require.ErrorContains(t, err, "to the relay")
	require.NotErrorIs(t, err, driver.ErrRefused)
}

// Any HTTP proxy may stand before the relay.
func TestAgentsBehindAProxy(t *testing.T) {
	b := relayed(t)
	direct, err := url.Parse(b.relay.URL)
	require.NoError(t, err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(direct)
		r.Out.Header.Del("If-None-Match") // as caches do
	}, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)})
	t.Cleanup(proxy.Close)
	b.relay.URL = proxy.URL
	b.give("web-1", order("1", 7))
	b.shows("web-1", "1")
}

// Who stops waiting for a bundle on its way to the relay leaves it to the others that wait for it.
func TestRelayUploadIsShared(t *testing.T) {
	b := relayed(t)
	one, two, o := b.target("web-1"), b.target("web-2"), b.order(order("1", 7))
	b.shows("web-1", "")
	b.shows("web-2", "")
	slow := &slowContent{Kept: b.kept, opened: make(chan struct{}), open: make(chan struct{})}
	d := b.bare(20 * time.Second).(driver.Carrier).Carrying(slow).(driver.Preparer)
	ctx, leave := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- d.Prepare(ctx, one, o) }()
	<-slow.opened
	go func() { second <- d.Prepare(t.Context(), two, o) }()
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
