package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/lab/edges/edgestest"
)

// Every case ends as announced, and no host is left on another configuration than it should have.
func TestConfig(t *testing.T) {
	t.Parallel()
	r, err := bringUp(t.Context(), edgestest.Settings(t, "config", "nginx"), t.Output())
	require.NoError(t, err)
	t.Cleanup(r.Close)
	require.NoError(t, r.Show(t.Context()))
}
