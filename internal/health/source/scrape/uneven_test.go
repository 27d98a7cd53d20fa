package scrape

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// A worker that stands still between two pages of a read reads one long after the other: that the
// later has counted more does not mean that traffic has moved.
func TestStandstillInARead(t *testing.T) {
	began := time.Now()
	var stall atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/control" && stall.Load() {
			time.Sleep(2500 * time.Millisecond)
		}
		_, _ = fmt.Fprintf(w, "requests_total %d\n", time.Since(began).Milliseconds())
	}))
	t.Cleanup(srv.Close)
	h := spec.Health{
		Every: spec.Duration(200 * time.Millisecond), Window: spec.Duration(time.Minute), StaleAfter: spec.Duration(30 * time.Second),
		Source: spec.Choose("scrape", Scrape{URL: srv.URL + "/{{id}}", Sample: 5}),
		Checks: []spec.Check{{Name: "errors", Bad: "requests_total", Total: "requests_total"}},
	}
	s, err := Open(h, source.Scope{
		Exposed: []fleet.Target{{ID: "exposed"}}, Control: []fleet.Target{{ID: "control"}}, Since: began.Add(-time.Hour),
	}, source.Deps{Redact: func(s string) string { return s }})
	require.NoError(t, err)
	share := func() float64 {
		at := time.Now()
		s.Refresh(t.Context(), at, began)
		w := source.Window{From: began, At: at}
		exposed := s.Count(t.Context(), "requests_total", source.Exposed, w, source.EmptyIsUnknown)
		control := s.Count(t.Context(), "requests_total", source.Control, w, source.EmptyIsUnknown)
		return exposed.Value / (exposed.Value + control.Value)
	}
	for range 3 {
		share()
		time.Sleep(200 * time.Millisecond)
	}
	require.InDelta(t, 0.5, share(), 0.1)
	stall.Store(true)
	require.GreaterOrEqual(t, share(), 0.4)
	stall.Store(false)
	require.GreaterOrEqual(t, share(), 0.4)
}
