package main

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQuantile(t *testing.T) {
	xs := []float64{5, 1, 4, 2, 3}
	require.InDelta(t, 3, median(xs), 0)
	require.InDelta(t, 2.5, median(xs[1:]), 0)
	require.InDelta(t, 5, quantile(xs, 0.99), 0)
	require.InDelta(t, 1, quantile(xs, 0), 0)
	require.Equal(t, []float64{5, 1, 4, 2, 3}, xs, "the input stays as it is")
	require.True(t, math.IsNaN(median(nil)))
	require.Equal(t, "3.0 (1.0 to 5.0)", spread(xs, "%.1f"))
	require.Equal(t, "-", spread(nil, "%.1f"))
	require.Equal(t, []float64{2, 0.5}, ratios([]float64{4, 1}, []float64{2, 2}))
}

// What is built is what is unpacked.
func TestPacking(t *testing.T) {
	b := boxes{dir: t.TempDir()}
	require.NoError(t, os.MkdirAll(b.path("files/below"), 0o755))
	require.NoError(t, os.WriteFile(b.path("files/below/a.json"), []byte("{}"), 0o600))
	for _, p := range b.packing() {
		for _, do := range []func(context.Context) (float64, error){p.sluice, p.other, p.sluice} {
			ms, err := do(t.Context())
			require.NoError(t, err, p.what)
			require.Positive(t, ms)
		}
	}
	root, err := os.OpenRoot(b.path("out"))
	require.NoError(t, err)
	defer root.Close()
	require.NoError(t, b.built.Drift(root))
}

// A look is late by what it comes after it was due; one that never comes is ever later.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLooks()
		h := l.wrap(http.NotFoundHandler())
		ask := func(method, path string) {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil))
		}
		began := time.Now()
		ask(http.MethodGet, "/t/a/metrics") // before the order: no look of the watch
		ask(http.MethodPut, "/t/a/sluice/v1/units/bench")
		ask(http.MethodPut, "/t/b/sluice/v1/units/bench")
		require.Zero(t, l.watched())
		time.Sleep(5 * time.Second)
		ask(http.MethodGet, "/t/a/metrics") // in time
		require.Equal(t, 1, l.watched())
		time.Sleep(18 * time.Second)
		ask(http.MethodGet, "/t/a/metrics") // 3 s late
		time.Sleep(7 * time.Second)
		require.ElementsMatch(t, []float64{0, 3, 25}, l.late(began, time.Now()))
		require.ElementsMatch(t, []float64{3, 25}, l.late(began.Add(10*time.Second), time.Now()))
	})
}

func TestFlags(t *testing.T) {
	for want, args := range map[string][]string{
		"is unknown":      {"--only", "speed"},
		"growing numbers": {"--ramp", "500,100"},
		"at least 1":      {"--repeat", "0"},
		"not a flag":      {"events"},
	} {
		_, err := parseFlags(args, &strings.Builder{})
		require.ErrorContains(t, err, want)
	}
}

func TestUsage(t *testing.T) {
	require.Zero(t, usageOf(0).rss)
}
