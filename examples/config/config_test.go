package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/lab/edges"
	"github.com/sluicehq/sluice/internal/lab/stack"
)

// Every case ends as announced, and no host is left on another configuration than it should have.
func TestConfig(t *testing.T) {
	t.Parallel()
	s := edges.Settings{
		Bin:   stack.Binaries{Dir: os.Getenv("SLUICE_BIN"), Devstack: os.Getenv("SLUICE_DEVSTACK")},
		Tools: os.Getenv("SLUICE_TOOLS"), Example: ".", Dir: t.TempDir(),
	}
	require.NoError(t, s.Prepare("config"))
	if _, err := s.Find("nginx"); err != nil {
		require.Empty(t, os.Getenv("SLUICE_REQUIRE_E2E"), err)
		t.Skipf("not run, see `make test`: %v", err)
	}
	r, err := bringUp(t.Context(), s, t.Output())
	require.NoError(t, err)
	t.Cleanup(r.Close)
	require.NoError(t, r.Show(t.Context()))
}
