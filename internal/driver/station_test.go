package driver_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/relay"
	orders "github.com/sluicehq/sluice/internal/relay/order"
	"github.com/sluicehq/sluice/internal/store"
)

// station is a relay before a fleet of real agents. The mode of a host is how the relay treats what
// workers ask about it, and what the agent cannot do itself.
type station struct {
	*httptest.Server
	of    *agents
	dir   string
	key   string
	inner http.Handler
	// away says that the relay answers nobody, and brought is how many bundles were brought.
	away    atomic.Bool
	brought atomic.Int32
}

func relayRig(t *testing.T) rig { return newRelayed(t).rig() }

// newRelayed are agents behind a relay.
func newRelayed(t *testing.T) *agents {
	a := newAgents(t)
	s := &station{of: a, dir: filepath.Join(a.dir, "relay"), key: filepath.Join(a.dir, "order.key")}
	public, private := newKey(t)
	require.NoError(t, os.WriteFile(s.key, private, 0o600))
	require.NoError(t, os.WriteFile(s.key+".pub", []byte(public), 0o600))
	own, err := store.Dir(filepath.Join(a.dir, "of-relay"))
	require.NoError(t, err)
	s.inner = relay.New(s.dir, own, slog.New(slog.DiscardHandler)).Handler()
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close) // after the agents
	a.relay = s
	return a
}

// pull is the agents' setting.
func (s *station) pull() string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("pull: {relay: %q, cohort: x, keys: [%q]}, ", s.URL, "file:"+s.key+".pub")
}

func (s *station) reportFile(id string) string { return filepath.Join(s.dir, "reports/proxy/x", id) }

// report is what the relay has of a host.
func (s *station) report(id string) string {
	data, _ := os.ReadFile(s.reportFile(id))
	return string(data)
}

// await waits until the relay knows what an agent says of itself.
func (s *station) await(h *agentHost) {
	h.t.Helper()
	if s != nil {
		require.Eventually(h.t, func() bool { return s.report(h.id) == h.says() }, 20*time.Second, 5*time.Millisecond)
	}
}

func (s *station) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.away.Load() {
		panic(http.ErrAbortHandler)
	}
	if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/bundles/") {
		s.brought.Add(1)
	}
	h := s.of.host(r.Header.Get(driver.TargetHeader)) // that a worker asks for
	if h == nil {
		s.asked(w, r)
		return
	}
	h.mu.Lock()
	mode := h.mode
	h.mu.Unlock()
	body, _ := io.ReadAll(r.Body) // whose caller leaves is noticed after it
	r.Body = io.NopCloser(bytes.NewReader(body))
	if troubled(w, r, mode) {
		return
	}
	if !strings.Contains(r.URL.Path, "/orders/") || mode != "crash" && mode != "cut" {
		s.inner.ServeHTTP(w, r)
		return
	}
	rec := httptest.NewRecorder()
	s.inner.ServeHTTP(rec, r)
	for tag := orders.Tag(body); !strings.Contains(s.report(h.id), tag) && r.Context().Err() == nil; {
		time.Sleep(5 * time.Millisecond)
	}
	switch {
	case strings.Contains(s.report(h.id), `"status":424`): // nothing has come about yet
		w.WriteHeader(rec.Code)
		return
	case mode == "cut":
		cutShort(w, "applied")
	}
	panic(http.ErrAbortHandler)
}

// asked answers an agent.
func (s *station) asked(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, "/bundles/") {
		s.of.mu.Lock()
		breaks := false
		for _, h := range s.of.hosts {
			h.mu.Lock()
			breaks = breaks || h.mode == "upload"
			h.mu.Unlock()
		}
		s.of.mu.Unlock()
		if breaks {
			rec := httptest.NewRecorder()
			s.inner.ServeHTTP(rec, r)
			cutShort(w, rec.Body.String()[:rec.Body.Len()/2])
		}
	}
	s.inner.ServeHTTP(w, r)
}
