package stack

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Ports that nobody listens on yet are not given out again, here or in another process.
func TestFreePortsAreGivenOutOnce(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 30 {
		ports, err := FreePorts(t.Context(), 40)
		require.NoError(t, err)
		for _, port := range ports {
			require.False(t, seen[port], "%d again", port)
			seen[port] = true
		}
	}
	for port := range seen {
		// #nosec G204 -- the test's own binary
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPortOfAnother$", "-test.v")
		cmd.Env = append(os.Environ(), "SLUICE_TEST_PORT="+strings.TrimPrefix(Loopback(port), "127.0.0.1:"))
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS")
		return
	}
}

// TestPortOfAnother is the other process.
func TestPortOfAnother(t *testing.T) {
	t.Parallel()
	text, ok := os.LookupEnv("SLUICE_TEST_PORT")
	if !ok {
		t.Skip("run by TestFreePortsAreGivenOutOnce")
	}
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	claimed, err := claim(port)
	require.NoError(t, err)
	require.False(t, claimed)
}
