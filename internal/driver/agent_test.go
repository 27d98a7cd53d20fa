package driver_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/agent"
	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
)

// agents are a fleet of real agents, in this process, with a store of bundles. Everywhere in the
// tests a release has a short name, which stands for the bundle of a folder that says it.
type agents struct {
	t     *testing.T
	dir   string
	kept  bundle.Kept
	relay *station // nil where the driver reaches the hosts

	mu       sync.Mutex
	hosts    map[string]*agentHost
	releases map[string]string // the digest of a name
	names    map[string]string // and the other way round
}

func newAgents(t *testing.T) *agents {
	dir := t.TempDir()
	s, err := store.Dir(filepath.Join(dir, "store"))
	require.NoError(t, err)
	return &agents{
		t: t, dir: dir, kept: bundle.Kept{Store: s},
		hosts: map[string]*agentHost{}, releases: map[string]string{}, names: map[string]string{"": ""},
	}
}

func agentRig(t *testing.T) rig { return newAgents(t).rig() }

func (a *agents) rig() rig {
	return rig{
		driver: named{a, a.driver(20 * time.Second)}, quick: named{a, a.driver(200 * time.Millisecond)},
		target: a.target, mode: func(id, mode string) { a.host(id).become(mode) },
		prepares: true, crashed: "version: its content is not the release's", garbage: garbage(),
	}
}

// driver carries bundles from the store.
func (a *agents) driver(timeout time.Duration, change ...func(*driver.Agent)) driver.Driver {
	return a.bare(timeout, change...).(driver.Carrier).Carrying(a.kept)
}

// bare carries none.
func (a *agents) bare(timeout time.Duration, change ...func(*driver.Agent)) driver.Driver {
	settings := driver.Agent{URL: "http://{{address}}/{{label.place}}", Timeout: spec.Duration(timeout)}
	if a.relay != nil {
		settings.URL, settings.Via, settings.Key, settings.Cohort = "", a.relay.URL, "file:"+a.relay.key, "{{label.place}}"
	}
	for _, f := range change {
		f(&settings)
	}
	return open(a.t, "agent", settings)
}

// target is a host, which is started when it is asked for first.
func (a *agents) target(id string) fleet.Target {
	h := a.host(id)
	if h == nil {
		h = startHost(a.t, filepath.Join(a.dir, id), id, a.relay)
		a.mu.Lock()
		a.hosts[id] = h
		a.mu.Unlock()
	}
	return fleet.Target{ID: id, Address: strings.TrimPrefix(h.server.URL, "http://"), Labels: map[string]string{"place": "x"}}
}

// host is one that was asked for; nil if none was.
func (a *agents) host(id string) *agentHost {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hosts[id]
}

// release is the bundle for a name. What is no name of a release stays as it is.
func (a *agents) release(name string) string {
	if name == "" || len(name) > spec.MaxRelease || !spec.IsWord(name) {
		return name
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.releases[name] == "" {
		dir := a.t.TempDir()
		require.NoError(a.t, os.WriteFile(filepath.Join(dir, "version"), []byte(name+"\n"), 0o600))
		b, err := a.kept.Build(a.t.Context(), dir)
		require.NoError(a.t, err)
		a.releases[name], a.names[b.Release()] = b.Release(), name
	}
	return a.releases[name]
}

// named is the driver with short names for releases.
type named struct {
	*agents
	driver.Driver
}

func (n named) Observe(ctx context.Context, t fleet.Target, unit string) (driver.State, error) {
	s, err := n.Driver.Observe(ctx, t, unit)
	n.mu.Lock()
	defer n.mu.Unlock()
	if name, ok := n.names[s.Release]; ok {
		s.Release = name
	}
	return s, err
}

func (n named) order(o driver.Order) driver.Order {
	o.Release = n.release(o.Release)
	return o
}

func (n named) Validate(ctx context.Context, t fleet.Target, o driver.Order) error {
	return n.Driver.Validate(ctx, t, n.order(o))
}

func (n named) Apply(ctx context.Context, t fleet.Target, o driver.Order) error {
	return n.Driver.Apply(ctx, t, n.order(o))
}

func (n named) Prepares() bool { return driver.Prepares(n.Driver) }

func (n named) Prepare(ctx context.Context, t fleet.Target, o driver.Order) error {
	return n.Driver.(driver.Preparer).Prepare(ctx, t, n.order(o))
}

func (n named) Settle(ctx context.Context, t fleet.Target, o driver.Order) error {
	return n.Driver.(driver.Settler).Settle(ctx, t, n.order(o))
}

// agentHost is a machine with an agent and a consumer, a script that loads the version that it is
// told to. Its modes are the rig's, and "upload", in which the connection breaks off in the middle
// of one.
type agentHost struct {
	t       *testing.T
	dir, id string
	server  *httptest.Server
	relay   *station // from which it takes orders; nil for none
	more    string   // of its unit's settings

	mu    sync.Mutex
	mode  string
	inner http.Handler
	stop  func()
}

// consumer is the script; files beside its link make it misbehave.
const consumer = `cd "$1"
case $2 in
check) if [ -e refuse ]; then cat refuse; exit 1; fi;;
reload) if [ -e hang ]; then sleep 60; fi; if [ -e app/version ]; then cat app/version > loaded; else rm -f loaded; fi;;
confirm) test ! -e deaf && cmp -s loaded "$3/version";;
esac`

func startHost(t *testing.T, dir, id string, relay *station) *agentHost {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	h := &agentHost{t: t, dir: dir, id: id, relay: relay}
	h.start()
	h.server = httptest.NewServer(http.StripPrefix("/x", h))
	t.Cleanup(func() { h.server.Close(); h.stop() })
	return h
}

func (h *agentHost) file(names ...string) string {
	return filepath.Join(append([]string{h.dir}, names...)...)
}

// start is what the agent's program does, without its listener.
func (h *agentHost) start() {
	h.t.Helper()
	step := func(step string) string {
		return fmt.Sprintf("[sh, -c, %q, x, %q, %s, '{{dir}}']", consumer, h.dir, step)
	}
	config, err := agent.Parse("agent.yaml", fmt.Appendf(nil, `{%sid: %s, folder: %q, units: {proxy: {to: %q, timeout: 2s,
check: %s, reload: %s, confirm: {command: %s, within: 1s}%s}}}`,
		h.relay.pull(), h.id, h.file("agent"), h.file("app"), step("check"), step("reload"), step("confirm"), h.more))
	require.NoError(h.t, err)
	a, err := agent.Open(config, slog.New(slog.DiscardHandler))
	require.NoError(h.t, err)
	ctx, end := context.WithCancel(context.Background()) //nolint:forbidigo // stop ends it
	a.Start(ctx)
	h.mu.Lock()
	h.inner, h.stop = a.Handler(), sync.OnceFunc(func() { // a start that failed leaves the one before
		end()
		require.NoError(h.t, a.Close(context.WithoutCancel(ctx)))
	})
	h.mu.Unlock()
	h.relay.await(h)
}

// become changes the mode. A host that comes to itself again has a new agent, which knows what is
// on disk.
func (h *agentHost) become(mode string) {
	for _, name := range []string{"refuse", "hang", "deaf"} {
		require.NoError(h.t, os.RemoveAll(h.file(name)))
	}
	switch mode {
	case "refuse":
		h.write("refuse", "line one\nnot for me\n")
	case "dead":
		h.write(filepath.Join("app", "version"), "3\n")
		h.restart()
		require.Eventually(h.t, func() bool { return strings.Contains(h.says(), `"alive":false`) }, 10*time.Second, 5*time.Millisecond)
		h.relay.await(h)
	case "":
		h.restart()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mode = mode
}

func (h *agentHost) write(name, text string) {
	require.NoError(h.t, os.WriteFile(h.file(name), []byte(text), 0o600))
}

// says is what the agent answers about its unit.
func (h *agentHost) says() string {
	rec := httptest.NewRecorder()
	h.inner.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/sluice/v1/units/proxy", nil))
	return strings.TrimSpace(rec.Body.String())
}

func (h *agentHost) restart() { h.stop(); h.start() }

func (h *agentHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	mode, inner := h.mode, h.inner
	h.mu.Unlock()
	ordered := r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/units/")
	if mode == "upload" && r.Method == http.MethodPut && !ordered {
		_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
		panic(http.ErrAbortHandler)
	}
	if mode == "slow" { // whose caller leaves is noticed once the body has been read
		_, _ = io.Copy(io.Discard, r.Body)
	}
	if troubled(w, r, mode) {
		return
	}
	if !ordered || mode != "crash" && mode != "cut" {
		inner.ServeHTTP(w, r)
		return
	}
	rec := httptest.NewRecorder()
	inner.ServeHTTP(rec, r)
	if rec.Code == http.StatusFailedDependency {
		w.WriteHeader(rec.Code)
		return
	}
	if mode == "cut" {
		cutShort(w, "applied")
	}
	panic(http.ErrAbortHandler)
}
