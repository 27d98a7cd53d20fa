package prometheus

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/spec"
)

// apart is a Prometheus whose clock is off. It has a sample of every second, up to its now.
func apart(t *testing.T, off *time.Duration) string {
	t.Helper()
	unix := func(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Add(*off)
		at := unix(now)
		if s := r.FormValue("time"); s != "" {
			at, _ = strconv.ParseFloat(s, 64)
		}
		value := 7.0
		switch q := r.FormValue("query"); {
		case q == "time()":
			_, _ = fmt.Fprintf(answering(w), `{"status":"success","data":{"resultType":"scalar","result":[%.3f,"%.3f"]}}`, at, at)
			return
		case len(q) > 3 && q[:4] == "max(": // when the newest sample was taken
			value = min(at+240, unix(now))
		}
		if at > unix(now)+1 && value == 7 {
			_, _ = fmt.Fprint(answering(w), `{"status":"success","data":{"resultType":"vector","result":[]}}`)
			return
		}
		_, _ = fmt.Fprintf(answering(w), `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%.3f,"%.3f"]}]}}`, at, value)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func answering(w http.ResponseWriter) http.ResponseWriter {
	w.Header().Set("Content-Type", "application/json")
	return w
}

// A server whose clock is off is asked and understood by its own clock, also when that is set in
// between; one that is further off than anybody corrects in silence is not asked.
func TestClockApart(t *testing.T) {
	off := time.Duration(0)
	h := spec.Health{
		Source: spec.Choose("prometheus", URL(apart(t, &off))), Every: spec.Duration(time.Second), Window: spec.Duration(time.Minute),
		StaleAfter: spec.Duration(10 * time.Second), Identify: spec.Identify{Label: "instance", Value: "{{address}}"},
	}
	scope := source.Scope{Exposed: []fleet.Target{{ID: "a", Address: "a:80"}}, Since: time.Now().Add(-time.Hour)}
	look := func(s source.Source) source.Reading {
		now := time.Now()
		s.Refresh(t.Context(), now, now)
		return s.Gauge(t.Context(), "load{$exposed}", source.Window{From: now.Add(-time.Minute), At: now})
	}
	open := func(now func() time.Time) source.Source {
		s, err := Open(h, scope, source.Deps{Now: now, Redact: func(s string) string { return s }})
		require.NoError(t, err)
		return s
	}
	s := open(time.Now)
	for _, off = range []time.Duration{0, 10 * time.Minute, -10 * time.Minute, -29 * time.Minute} {
		r := look(s)
		require.Empty(t, r.Verdict, "%s: %s", off, r.Why)
		require.InDelta(t, 7, r.Value, 0)
		_, ahead := s.(source.Clocked).Ahead()
		require.InDelta(t, off, ahead, float64(time.Second))
	}
	for _, off = range []time.Duration{time.Hour, -2 * time.Hour} {
		r := look(s)
		require.Equal(t, judge.NoData, r.Verdict)
		require.Contains(t, r.Why, "the Temporal server's, at most 30m is corrected: set it right")
		require.True(t, r.Impossible)
	}
	off = 10 * time.Minute
	require.NotEmpty(t, look(open(nil)).Verdict, "without a clock to compare with nothing is corrected")
}
