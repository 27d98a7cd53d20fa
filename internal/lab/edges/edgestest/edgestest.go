// Package edgestest is what the tests of the examples share.
package edgestest

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/lab/edges"
	"github.com/sluicehq/sluice/internal/lab/stack"
)

// Settings are those of the example in the folder of a test. Where a program is missing, the test
// is skipped.
func Settings(t *testing.T, example, edge string) edges.Settings {
	t.Helper()
	s := edges.Settings{
		Bin:   stack.Binaries{Dir: os.Getenv("SLUICE_BIN"), Devstack: os.Getenv("SLUICE_DEVSTACK")},
		Tools: os.Getenv("SLUICE_TOOLS"), Example: ".", Dir: t.TempDir(),
	}
	require.NoError(t, s.Prepare(example))
	if _, err := s.Find(edge); err != nil {
		require.Empty(t, os.Getenv("SLUICE_REQUIRE_E2E"), err)
		t.Skipf("not run, see `make test`: %v", err)
	}
	return s
}
