package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/store"
)

// TestSubmissionOfALargeFleet: labels of noise do not pack well.
func TestSubmissionOfALargeFleet(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var f fleet.Fleet
	for i := range 8000 {
		label := ""
		for range 16 {
			label += fmt.Sprintf("%016x", random.Uint64())
		}
		f.Targets = append(f.Targets, fleet.Target{ID: fmt.Sprintf("t-%05d", i), Address: "10.0.0.1:80", Labels: map[string]string{"noise": label}})
	}
	l := loaded{fleet: f}
	_, err := submission(t.Context(), l, "ana", "")
	var out, errOut bytes.Buffer
	require.Equal(t, exitInvalid, testConsole(&out, &errOut).report(err))
	require.Contains(t, errOut.String(), "--store FOLDER")

	dir := t.TempDir()
	sub, err := submission(t.Context(), l, "ana", dir)
	require.NoError(t, err)
	require.Empty(t, sub.FleetData)
	kept, err := store.Dir(dir)
	require.NoError(t, err)
	data, err := kept.Get(t.Context(), sub.FleetDigest)
	require.NoError(t, err)
	again, err := fleet.Decode(data)
	require.NoError(t, err)
	require.Equal(t, f, again)

	l.fleet.Targets = f.Targets[:10]
	sub, err = submission(t.Context(), l, "ana", "")
	require.NoError(t, err)
	again, err = fleet.Decode(sub.FleetData)
	require.NoError(t, err)
	require.Equal(t, l.fleet, again)
	require.Equal(t, store.Digest(sub.FleetData), sub.FleetDigest)
}
