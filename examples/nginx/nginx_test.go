package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/lab/edges"
	"github.com/sluicehq/sluice/internal/lab/edges/edgestest"
	"github.com/sluicehq/sluice/internal/spec"
)

// setUp brings the whole example up, or skips the test where a program is missing.
func setUp(t *testing.T) *rig {
	t.Helper()
	s := edgestest.Settings(t, "nginx", "nginx")
	r, err := bringUp(t.Context(), s, t.Output())
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

// A host that closes the connection of whoever asks is alive for its driver, and counts no errors.
// It is taken back, and what nginx refuses or a newer order has overtaken never gets onto a host.
func TestAnswersNobody(t *testing.T) {
	r := setUp(t)
	e := example{release: "1.3.0", stage: 0, bad: oneHost}
	s, err := r.rollOut(t.Context(), e)
	require.NoError(t, err)
	require.Equal(t, edges.ExitRolledBack, s.code)
	require.Contains(t, s.why, "answers FAIL: 1 of 1 exposed targets")
	require.Positive(t, s.harmed, "the bad host never was")

	web := r.Targets[0]
	d, err := catalog.New().Drivers.New(spec.Driver{Choice: spec.Choose("exec", driver.Exec{
		Observe:  []string{r.Example("edge"), "observe", "{{label.site}}"},
		Validate: []string{r.Example("edge"), "validate", "{{label.site}}", "{{release}}"},
		Apply:    []string{r.Example("edge"), "apply", "{{label.site}}", "{{release}}", "{{fence}}"},
		Timeout:  spec.Duration(2 * time.Minute), // a busy machine runs its programs slowly
	})}, nil)
	require.NoError(t, err)
	apply := func(release string, fence int64) error {
		return d.Apply(t.Context(), web, driver.Order{Unit: "edge", Release: release, Fence: fence})
	}
	const newest = 1 << 60
	require.NoError(t, apply("1.1.0", newest))
	require.ErrorIs(t, apply("1.0.0", newest-1), driver.ErrFenced)
	for release, why := range map[string]string{"1.7.0": "host not found in upstream", "9.9.9": "no release 9.9.9", "../edge": "is not a release"} {
		err := apply(release, newest)
		require.ErrorIs(t, err, driver.ErrRefused, release)
		require.ErrorContains(t, err, why)
	}
	state, err := d.Observe(t.Context(), web, "edge")
	require.NoError(t, err)
	require.Equal(t, driver.State{Release: "1.1.0", Fence: newest, Alive: true}, state)
}

func TestReason(t *testing.T) {
	for line, want := range map[string]string{
		"02:22:13 promoted: all 6 targets run 1.1.0": "all 6 targets run 1.1.0",
		"02:19:35 rolled-back: outliers FAIL: web-6 26% (32/124), limit 10%; 1 of 1 targets; touched 1 target, back on 1.1.0: 1 target": "outliers FAIL: web-6 26% (32/124), limit 10%; 1 of 1 targets",
		"02:20:46 rolled-back: answers FAIL: 3 of 6 exposed targets: web-1 does not answer (dial tcp 127.0.0.1:1: refused); touched 6":  "answers FAIL: 3 of 6 exposed targets",
		"02:22:13 refused: release 1.7.0 is not valid: web-6 refused by target: edge":                                                   "release 1.7.0 is not valid",
	} {
		require.Equal(t, want, seen{why: line}.reason())
	}
}
