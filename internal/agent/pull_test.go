package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/relay"
	"github.com/sluicehq/sluice/internal/relay/order"
	"github.com/sluicehq/sluice/internal/store"
)

func newSigner(t testing.TB) signature.Signer {
	t.Helper()
	s, _, err := signature.Generate()
	require.NoError(t, err)
	return s
}

// relayed is an agent behind a relay.
type relayed struct {
	*rig
	relay   *httptest.Server
	stall   *atomic.Bool // it brings no bundle to its end
	stalled chan struct{}
	by      signature.Signer
}

func newRelayed(t testing.TB) *relayed {
	t.Helper()
	rig := &rig{t: t, at: func(string) {}, config: rigConfig(t.TempDir(), nil)}
	s, err := store.Dir(rig.dir("store"))
	require.NoError(t, err)
	h := relay.New(rig.dir("relay"), s, slog.New(slog.DiscardHandler)).Handler()
	r := &relayed{rig: rig, stall: new(atomic.Bool), by: newSigner(t)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if r.stall.Load() && q.Method == http.MethodGet && strings.Contains(q.URL.Path, "/bundles/") {
			r.stalled <- struct{}{}
			<-q.Context().Done()
			return
		}
		h.ServeHTTP(w, q)
	}))
	r.relay, r.stalled = server, make(chan struct{}, 9)
	r.trust(r.by)
	r.start()
	t.Cleanup(func() {
		r.stop()
		server.Close()
	})
	return r
}

// trust sets the keys, for the next start.
func (r *relayed) trust(signers ...signature.Signer) {
	r.t.Helper()
	r.config.Pull = &Pull{Relay: r.relay.URL, Cohort: "eu"}
	for i, s := range signers {
		file := r.dir(fmt.Sprintf("key-%d.pub", i))
		require.NoError(r.t, os.WriteFile(file, []byte(s.Key().String()), 0o600))
		r.config.Pull.Keys = append(r.config.Pull.Keys, "file:"+file)
	}
}

func (r *relayed) restart() {
	r.stop()
	r.start()
}

func (r *relayed) stock(rel release) {
	r.t.Helper()
	require.Equal(r.t, http.StatusCreated, r.toRelay(http.MethodPut, "bundles/"+rel.name, rel.upload).StatusCode)
}

func (r *relayed) toRelay(method, path string, body []byte) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.relay.URL+"/sluice/v1/"+path, bytes.NewReader(body))
	require.NoError(r.t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(r.t, err)
	data, err := io.ReadAll(resp.Body)
	require.NoError(r.t, errors.Join(err, resp.Body.Close()))
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return resp
}

func (r *relayed) document(step order.Step, fence int64, rel string, change ...func(*order.Document)) []byte {
	r.t.Helper()
	d := order.Document{
		Unit: unitName, Cohort: "eu", Selector: []string{"web-1"}, Step: step, Release: rel, Fence: fence, NotAfter: time.Now().Add(time.Minute),
	}
	for _, f := range change {
		f(&d)
	}
	data, err := d.Sign(r.by)
	require.NoError(r.t, err)
	return data
}

// give puts a document at the relay, and answers what the agent says to it.
func (r *relayed) give(document []byte) (a order.Answer) {
	r.t.Helper()
	require.Equal(r.t, 204, r.toRelay(http.MethodPut, "orders/"+unitName+"/eu/web-1", document).StatusCode)
	require.Eventually(r.t, func() bool {
		if got := r.agent.status(r.agent.units[unitName]).Answer; got != nil && got.Document == order.Tag(document) {
			a = *got
			return true
		}
		return false
	}, 20*time.Second, 5*time.Millisecond)
	return a
}

// obey has the agent read a document that a relay may have made up, or kept.
func (r *relayed) obey(document []byte, date string) error {
	p := &puller{source: r.agent.relay, agent: r.agent, unit: r.agent.units[unitName]}
	return p.obey(r.t.Context(), document, date)
}

// runs has a release prepared, in effect and settled.
func (r *relayed) runs(fence int64, rel release) {
	r.t.Helper()
	for _, step := range []order.Step{order.Prepare, order.Apply, order.Settle} {
		require.Equal(r.t, 204, r.give(r.document(step, fence, rel.name)).Status, step)
	}
	require.Equal(r.t, rel.name, r.status().Release)
}

func TestPull(t *testing.T) {
	r := newRelayed(t)
	one, two := makeRelease(t, "1"), makeRelease(t, "2")
	require.Equal(t, 424, r.give(r.document(order.Prepare, 10, one.name)).Status, "the relay lacks the bundle")
	r.stock(one)
	r.runs(10, one)
	require.Equal(t, "1", r.loaded())
	r.stock(two)
	require.Equal(t, 204, r.give(r.document(order.Prepare, 20, two.name)).Status)
	require.Equal(t, "1", r.loaded(), "prepared, and nothing is switched")
	require.Equal(t, 204, r.give(r.document(order.Apply, 20, two.name)).Status)
	require.Equal(t, "2", r.loaded())
	require.Equal(t, 409, r.give(r.document(order.Settle, 20, one.name)).Status, "it runs another one")

	bad := makeRelease(t, "3", "refuse")
	r.stock(bad)
	got := r.give(r.document(order.Prepare, 21, bad.name))
	require.Equal(t, 422, got.Status)
	require.Contains(t, got.Why, "line 7: no such feature")
	require.NoError(t, os.RemoveAll(r.dir("store")))
	require.Equal(t, 204, r.give(r.document(order.Apply, 21, one.name)).Status, "the way back needs no bundle")
	require.Equal(t, "1", r.loaded())
	require.Equal(t, 204, r.give(r.document(order.Apply, 40, "")).Status, "it is removed")
	r.whole(release{})

	code, why := r.order(50, one.name)
	require.Equal(t, http.StatusForbidden, code, "nobody gives orders directly")
	require.Contains(t, why, "from its relay only")
	require.Eventually(t, func() bool { return bytes.Contains(r.reported(), []byte(`"fence":40`)) }, 10*time.Second, 10*time.Millisecond)
}

// reported is what is at the relay.
func (r *relayed) reported() []byte {
	data, _ := io.ReadAll(r.toRelay(http.MethodGet, "reports/"+unitName+"/eu/web-1", nil).Body)
	return data
}

// None of these orders switches anything: each is told, and counted.
func TestStaleOrders(t *testing.T) {
	r := newRelayed(t)
	one, two := makeRelease(t, "1"), makeRelease(t, "2")
	r.stock(one)
	r.stock(two)
	r.runs(10, one)
	flipped := r.document(order.Apply, 20, two.name)
	flipped[bytes.Index(flipped, []byte(`"fence":20`))+8] = '3'
	stranger := *r
	stranger.by = newSigner(t)
	long := func(d *order.Document) { d.NotAfter = time.Now().Add(-time.Hour) }
	soon := time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat)
	for name, c := range map[string]struct {
		document []byte
		date     string
		is       error
		says     string
	}{
		"a flipped byte":           {flipped, "", errNotMine, "is not over this order"},
		"half of it":               {flipped[:100], "", errNotMine, "not an order"},
		"nothing":                  {nil, "", errNotMine, "not an order"},
		"another key":              {stranger.document(order.Apply, 20, two.name), "", errNotMine, "expected " + r.by.Key().ID()},
		"an older order":           {r.document(order.Apply, 9, two.name), "", errFenced, "with the fence 10"},
		"an older preparation":     {r.document(order.Prepare, 9, two.name), "", errFenced, "with the fence 10"},
		"an older settlement":      {r.document(order.Settle, 9, one.name), "", errFenced, "with the fence 10"},
		"an expired order":         {r.document(order.Apply, 20, two.name, long), "", errExpired, "it was good until"},
		"one by the relay's clock": {r.document(order.Apply, 20, two.name), soon, errExpired, "at the relay"},
		"another unit":             {r.document(order.Apply, 20, two.name, func(d *order.Document) { d.Unit = "flags" }), "", errNotMine, "for the unit flags"},
		"another cohort":           {r.document(order.Apply, 20, two.name, func(d *order.Document) { d.Cohort = "us" }), "", errNotMine, "for the cohort us"},
		"others":                   {r.document(order.Apply, 20, two.name, func(d *order.Document) { d.Selector = []string{"web-10", "web-2"} }), "", errNotMine, "does not select web-1"},
	} {
		err := r.obey(c.document, c.date)
		require.ErrorIs(t, err, c.is, name)
		require.ErrorContains(t, err, c.says, name)
		r.whole(one)
		require.Equal(t, "1", r.loaded(), name)
		require.NotContains(t, r.status().Prepared, two.name, name)
	}
	require.NoError(t, r.obey(r.document(order.Apply, 20, two.name, func(d *order.Document) { d.Selector = []string{"web-2", "web-1"} }), ""))
	require.Equal(t, "2", r.loaded())

	got := r.give(r.document(order.Apply, 20, one.name, long))
	require.Equal(t, 408, got.Status)
	told := func() bool { return bytes.Contains(r.reported(), []byte("the order has expired")) }
	require.Eventually(t, told, 10*time.Second, 10*time.Millisecond, "it is told")
	resp, err := http.Get(r.server.URL + "/metrics")
	require.NoError(t, err)
	page, err := io.ReadAll(resp.Body)
	require.NoError(t, errors.Join(err, resp.Body.Close()))
	require.Contains(t, string(page), `sluice_unit_stale_total{unit="features"} 1`)
	require.Contains(t, string(page), `sluice_unit_polled_timestamp_seconds{unit="features"}`)
}

// A key that was taken out has no say any more: not by what it signs, and not by the fence that it
// gave while it had one. Two keys at a time share a bar.
func TestLeakedKey(t *testing.T) {
	r := newRelayed(t)
	old, next := r.by, newSigner(t)
	one, two := makeRelease(t, "1"), makeRelease(t, "2")
	r.stock(one)
	r.stock(two)
	r.runs(10, one)
	require.Equal(t, 204, r.give(r.document(order.Apply, 1<<62, two.name)).Status, "whoever has the key gives orders")

	r.trust(old, next)
	r.restart()
	r.by = next
	require.ErrorIs(t, r.obey(r.document(order.Apply, 11, one.name), ""), errFenced, "the old key has a say still")
	require.Equal(t, "2", r.loaded())

	r.trust(next)
	r.restart()
	require.Zero(t, r.status().Fence, "a worker sees the fences of keys that have a say")
	require.Equal(t, 204, r.give(r.document(order.Apply, 11, one.name)).Status)
	require.Equal(t, "1", r.loaded())
	require.EqualValues(t, 11, r.status().Fence)
	require.ErrorIs(t, r.obey(r.document(order.Apply, 10, two.name), ""), errFenced)
	r.by = old
	require.ErrorIs(t, r.obey(r.document(order.Apply, 1<<62, two.name), ""), errNotMine)

	r.trust(next, old) // it was the wrong one that was taken out
	r.restart()
	require.EqualValues(t, 1<<62, r.status().Fence)
	require.ErrorIs(t, r.obey(r.document(order.Apply, 20, two.name), ""), errFenced, "what it gave was not forgotten")
	require.Equal(t, "1", r.loaded())
}

func TestExpired(t *testing.T) {
	end := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		own, relay time.Duration // after the end; 0 for a relay is that it does not say
		want       bool
	}{
		"in time":                          {-time.Minute, -time.Minute, false},
		"late":                             {time.Minute, time.Minute, true},
		"late, and nobody else says so":    {time.Second, 0, true},
		"in time, and nobody else says so": {-time.Second, 0, false},
		"a clock that is ahead":            {5 * time.Minute, -time.Minute, false},
		"a clock that is far ahead":        {11 * time.Minute, -time.Minute, true},
		"a clock that is a year behind":    {-365 * 24 * time.Hour, time.Minute, true},
	} {
		date := ""
		if c.relay != 0 {
			date = end.Add(c.relay).Format(http.TimeFormat)
		}
		err := expired(end, end.Add(c.own), date)
		require.Equal(t, c.want, err != nil, "%s: %v", name, err)
	}
}

func TestBackoff(t *testing.T) {
	require.Equal(t, 500*time.Millisecond, backoff(1, 0))
	require.Equal(t, 2*time.Second, backoff(2, 0.5))
	require.Equal(t, 3*mostBackoff/2, backoff(1000, 1))
}

// An agent that was ended in the middle of an order takes it again at its start; one that was
// carried out is not carried out twice.
func TestPullAfterARestart(t *testing.T) {
	r := newRelayed(t)
	one, two := makeRelease(t, "1"), makeRelease(t, "2")
	r.stock(one)
	r.runs(10, one)
	reloads := r.reloads()
	r.restart()
	settle := r.document(order.Settle, 10, one.name)
	require.Equal(t, 204, r.give(settle).Status)
	require.Equal(t, reloads, r.reloads())

	r.stop()
	r.stock(two)
	document := r.document(order.Apply, 20, two.name)
	require.Equal(t, 204, r.toRelay(http.MethodPut, "orders/"+unitName+"/eu/web-1", document).StatusCode)
	r.start()
	answered := func() bool { a := r.status().Answer; return a != nil && a.Status == 204 }
	require.Eventually(t, answered, 20*time.Second, 5*time.Millisecond)
	require.Equal(t, two.name, r.status().Release)
	r.restart()
	require.Eventually(t, answered, 20*time.Second, 5*time.Millisecond)
	require.Equal(t, reloads+1, r.reloads())
}

// What a relay, or a cache before it, cuts or damages is no word against the release.
func TestFetchFails(t *testing.T) {
	r := newRelayed(t)
	one := makeRelease(t, "1")
	r.stock(one)
	for name, spoil := range map[string]func([]byte) []byte{
		"cut":     func(b []byte) []byte { return b[:len(b)-700] },
		"flipped": func(b []byte) []byte { b = bytes.Clone(b); b[len(b)-1500] ^= 1; return b },
		"empty":   func([]byte) []byte { return nil },
	} {
		cache := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(one.upload)))
			if name != "cut" {
				w.Header().Del("Content-Length")
			}
			_, _ = w.Write(spoil(one.upload))
		}))
		base, err := url.Parse(cache.URL)
		require.NoError(t, err)
		good := *r.agent.relay
		bad := good
		bad.base = base
		p := &puller{source: &bad, agent: r.agent, unit: r.agent.units[unitName]}
		err = p.obey(t.Context(), r.document(order.Prepare, 10, one.name), "")
		require.Error(t, err, name)
		require.Equal(t, 500, statusOf(err), "%s: %s", name, err)
		cache.Close()
	}
	require.Equal(t, 204, r.give(r.document(order.Prepare, 10, one.name)).Status)
}

// waitsFor puts a document at the relay, and returns once its order waits for its reload.
func (r *relayed) waitsFor(document []byte) {
	r.t.Helper()
	require.Equal(r.t, 204, r.toRelay(http.MethodPut, "orders/"+unitName+"/eu/web-1", document).StatusCode)
	u := r.agent.units[unitName]
	require.Eventually(r.t, func() bool {
		u.mu.Lock()
		defer u.mu.Unlock()
		return u.waiting != nil
	}, 20*time.Second, time.Millisecond)
}

// An order that waits for its reload gives way to its way back, behind a relay, too, and is nothing
// once it has expired.
func TestPullWhileAnOrderWaits(t *testing.T) {
	r := newRelayed(t)
	u := r.config.Units[unitName]
	u.MinReloadInterval = Duration(time.Hour)
	r.config.Units[unitName] = u
	r.restart()
	one, two := makeRelease(t, "1"), makeRelease(t, "2")
	r.stock(one)
	r.stock(two)
	r.runs(10, one)
	back := func(d *order.Document) { d.Back = true }
	r.waitsFor(r.document(order.Apply, 11, two.name))
	require.Equal(t, 204, r.give(r.document(order.Apply, 11, one.name, back)).Status)
	r.whole(one)

	late := r.document(order.Apply, 12, two.name, func(d *order.Document) { d.NotAfter = time.Now().Add(3 * time.Second) })
	got := r.give(late)
	require.Equal(t, http.StatusRequestTimeout, got.Status, got.Why)
	require.Contains(t, got.Why, "minReloadInterval")
	r.whole(one)
	require.EqualValues(t, 11, r.status().Fence)

	// Nor does a bundle that comes slowly keep it waiting.
	three := makeRelease(t, "3")
	r.stock(three)
	r.stall.Store(true)
	require.Equal(t, 204, r.toRelay(http.MethodPut, "orders/"+unitName+"/eu/web-1", r.document(order.Apply, 12, three.name)).StatusCode)
	<-r.stalled
	require.Equal(t, 204, r.give(r.document(order.Apply, 12, one.name, back)).Status)
	r.stall.Store(false)
	r.whole(one)

	// Of documents that come meanwhile the newest counts.
	r.waitsFor(r.document(order.Apply, 13, two.name))
	require.Equal(t, 204, r.toRelay(http.MethodPut, "orders/"+unitName+"/eu/web-1", r.document(order.Prepare, 14, two.name)).StatusCode)
	require.Equal(t, 204, r.give(r.document(order.Apply, 14, one.name, back)).Status)
	r.whole(one)
}

func TestPullConfig(t *testing.T) {
	const rest = "\nid: web-1\nfolder: /var/agent\nunits: {features: {to: /srv/app}}\n"
	for text, want := range map[string]string{
		"pull: {relay: https://relay:7312, keys: [file:/a.pub, file:/b.pub], token: file:/t, cohort: eu}": "",
		"pull: {relay: http://127.0.0.1:7312, keys: [file:/a.pub], token: file:/t}":                       "",
		"pull: {relay: http://relay, keys: [file:/a.pub]}":                                                "",
		"pull: {relay: http://relay, keys: [file:/a.pub], token: file:/t}":                                "1:15: pull.relay: carries the token in plain text",
		"pull: {relay: relay:7312, keys: [file:/a.pub]}":                                                  "1:15: pull.relay: \"relay:7312\" is not a URL",
		"pull: {relay: https://relay}":                                                                    "pull.keys: are 0, expected one or two",
		"pull: {relay: https://relay, keys: [file:/a, file:/b, file:/c]}":                                 "pull.keys: are 3",
		"pull: {relay: https://relay, keys: [RWabc]}":                                                     "1:37: pull.keys[0]: not a reference",
		"pull: {relay: https://relay, keys: [file:/a], cohort: EU}":                                       "pull.cohort: \"EU\" is not a cohort",
		"pull: {relay: https://relay, keys: [file:/a], tls: {ca: /ca.pem}}":                               "pull.tls.ca: not a reference",
		"pull: {}": "pull.relay: \"\" is not a URL",
	} {
		c, err := Parse("f", []byte(text+rest))
		if want == "" {
			require.NoError(t, err, text)
			require.NotEmpty(t, c.Pull.Cohort)
		} else {
			require.ErrorContains(t, err, want, text)
		}
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"k": newSigner(t).Key().String(), "none": "RWx"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	for want, keys := range map[string][]string{
		"is there twice": {"k", "k"}, "pull.keys[1]: not a minisign public key": {"k", "none"}, "no such file": {"gone"},
	} {
		p := &Pull{}
		for _, k := range keys {
			p.Keys = append(p.Keys, "file:"+filepath.Join(dir, k))
		}
		_, err := readKeys("pull.keys", p.Keys)
		require.ErrorContains(t, err, want)
	}
}
