package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/lab/edges"
	"github.com/sluicehq/sluice/internal/lab/edges/edgestest"
)

// setUp brings the whole example up, or skips the test where a program is missing.
func setUp(t *testing.T) *rig {
	t.Helper()
	s := edgestest.Settings(t, "haproxy", "haproxy")
	r, err := bringUp(t.Context(), s, t.Output())
	require.NoError(t, err)
	t.Cleanup(r.Close)
	t.Cleanup(func() { logsOf(t, r.Dir) })
	return r
}

// logsOf shows what the programs wrote when a test has failed.
func logsOf(t *testing.T, dir string) {
	t.Helper()
	if !t.Failed() {
		return
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	for _, path := range logs {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		t.Logf("%s:\n%s", path, data[max(0, len(data)-4000):])
	}
}

// What HAProxy itself and its clients say of a good release, a bad one and one that HAProxy
// refuses.
func TestRollouts(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	tier := map[string]string{}
	for _, e := range r.edges {
		tier[e.ID] = e.Labels["tier"]
	}

	good, err := r.rollOut(t.Context(), specGood)
	require.NoError(t, err)
	require.Equal(t, edges.ExitPromoted, good.code)
	require.Zero(t, good.wrong())
	require.Len(t, good.reloaded(), len(r.edges))
	lost, _ := good.got("0")
	require.LessOrEqual(t, lost, good.requests()/100, "requests without an answer")

	bad, err := r.rollOut(t.Context(), specBad)
	require.NoError(t, err)
	require.Equal(t, edges.ExitRolledBack, bad.code)
	require.Zero(t, bad.wrong())
	count, from := bad.got(statusBad)
	require.Positive(t, count, "the bad release never answered")
	require.Len(t, from, 2)
	require.Equal(t, from, bad.reloaded(), "who answered badly was changed, and nobody else")
	for _, id := range from {
		require.Equal(t, "internal", tier[id], id)
		require.Equal(t, bad.before[id].Config, bad.after[id].Config, id)
		require.Equal(t, bad.before[id].Master, bad.after[id].Master, id)
	}

	refused, err := r.rollOut(t.Context(), specRefused)
	require.NoError(t, err)
	require.Equal(t, edges.ExitRefused, refused.code)
	require.Equal(t, refused.before, refused.after)
	count, _ = refused.got(statusBad)
	require.Zero(t, count)
}

// One request in a hundred fails as a rule. A release on which it is two is taken back; one during
// which many more fail everywhere is not.
func TestSmallHarmAndSharedHarm(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	before, err := r.answers(t.Context())
	require.NoError(t, err)

	twice, err := r.rollOut(t.Context(), specTwice)
	require.NoError(t, err)
	require.Equal(t, edges.ExitRolledBack, twice.code)
	require.Len(t, twice.reloaded(), len(r.edges)/2, "the other half was never touched")
	for id, a := range twice.after {
		require.Equal(t, before[id].Release, a.Release, id)
	}

	incident := time.AfterFunc(20*time.Second, func() { r.Backend.FailsEvery.Store(11) })
	over := time.AfterFunc(35*time.Second, func() { r.Backend.FailsEvery.Store(edges.FailsEvery) })
	defer incident.Stop()
	defer over.Stop()
	shared, err := r.rollOut(t.Context(), specShared)
	require.NoError(t, err)
	require.Equal(t, edges.ExitPromoted, shared.code)
	failed, _ := shared.got("500")
	require.Greater(t, failed, shared.requests()/50, "there was an incident")
	for id, a := range shared.after {
		require.Equal(t, "1.5.0", a.Release, id)
	}
}
