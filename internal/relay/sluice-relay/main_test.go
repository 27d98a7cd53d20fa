package main

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// A relay knows nothing of what orchestrates.
func TestLinksOnlyWhatItNeeds(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "sluice/internal/relay\n")
	for _, heavy := range []string{
		"go.temporal.io/", "google.golang.org/grpc", "prometheus",
		"sluice/workflows", "sluice/activities", "sluice/internal/driver",
	} {
		require.NotContains(t, string(out), heavy)
	}
}

func TestRun(t *testing.T) {
	for want, args := range map[string][]string{
		"is not on loopback":                   {"--listen", ":0"},
		`"now" is not a flag`:                  {"now"},
		"--worker-token: environment variable": {"--worker-token", "${env:SLUICE_TEST_NOT_SET}"},
		"--client-ca needs both":               {"--client-ca", "ca.pem"},
	} {
		var out, stderr bytes.Buffer
		require.ErrorContains(t, run(t.Context(), append([]string{"--folder", t.TempDir()}, args...), &out, &stderr), want)
	}
	var out, stderr bytes.Buffer
	require.Error(t, run(t.Context(), []string{"--help"}, &out, &stderr))
	require.Contains(t, stderr.String(), "-agent-token reference")
}
