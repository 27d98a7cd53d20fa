package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	fleetFile, ready := filepath.Join(dir, "fleet.yaml"), filepath.Join(dir, "ready")
	ctx, cancel := context.WithCancel(t.Context())
	var stdout strings.Builder
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"--targets", "6", "--fleet-file", fleetFile, "--ready-file", ready, "--state-dir", dir}, &stdout, io.Discard)
	}()
	var url []byte
	require.Eventually(t, func() bool {
		var err error
		url, err = os.ReadFile(ready)
		return err == nil
	}, 20*time.Second, 5*time.Millisecond)
	base := strings.TrimSpace(string(url))
	for _, path := range []string{"/", "/metrics", "/state", "/log", "/t/eu-01/metrics", "/t/eu-01/sluice/v1/units/demo"} {
		resp, err := http.Get(base + path)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
	}
	data, err := os.ReadFile(fleetFile)
	require.NoError(t, err)
	require.Equal(t, 6, strings.Count(string(data), "- {id: "))
	cancel()
	require.NoError(t, <-done)
	require.Contains(t, stdout.String(), "6 targets of demo at http://127.0.0.1:")
}

func TestRunRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"is not a flag":            {"--targets", "3", "stray"},
		"not defined":              {"--target", "3"},
		"must be above 0":          {"--targets", "0"},
		"expected 1 to 100000":     {"--targets", "100001"},
		"--token: not a reference": {"--token", "planted-inline"},
		"--fleet-file: ":           {"--fleet-file", "/no/such/folder/fleet.yaml"},
		"--ready-file: ":           {"--ready-file", "/no/such/folder/ready"},
	} {
		err := run(t.Context(), args, io.Discard, io.Discard)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "planted")
	}
}
