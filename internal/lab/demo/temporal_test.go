package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/lab/stack"
)

func TestChoose(t *testing.T) {
	made := t.TempDir()
	for _, name := range []string{"devstack", "temporal"} {
		require.NoError(t, os.WriteFile(filepath.Join(made, name), []byte("#!/bin/sh\n"), 0o700)) //nolint:gosec // it is looked for
	}
	built, missing := filepath.Join(made, "devstack"), filepath.Join(made, "no")
	for name, c := range map[string]struct {
		address, path, devstack string
		join, postgres          bool
		says                    string
		ours, isBuilt           bool
	}{
		"the user's server comes first":     {address: "db:7233", path: made, devstack: built, join: true, says: "It is yours"},
		"but not where nobody may join":     {address: "db:7233", path: made, devstack: built, says: "embedded", ours: true, isBuilt: true},
		"then one that is compiled already": {path: made, devstack: built, join: true, says: "embedded", ours: true, isBuilt: true},
		"then the temporal CLI":             {path: made, devstack: missing, join: true, says: "start-dev", ours: true},
		"then one that must be compiled":    {path: "/nowhere", devstack: missing, join: true, says: "embedded", ours: true, isBuilt: true},
		"only that one knows PostgreSQL":    {path: made, devstack: missing, postgres: true, says: "embedded", ours: true, isBuilt: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(addressVariable, c.address)
			t.Setenv("PATH", c.path)
			got := choose(settings{bin: stack.Binaries{Devstack: c.devstack}, join: c.join, postgres: c.postgres})
			require.Contains(t, got.what, c.says)
			require.Equal(t, c.ours, got.ours)
			require.Equal(t, c.isBuilt, got.build)
		})
	}
}

func TestBuild(t *testing.T) {
	st := stack.New(stack.Binaries{}, t.TempDir())
	t.Cleanup(st.Close)
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	shown := 0
	show := func() error { shown++; return nil }

	require.NoError(t, build(t.Context(), st, "true", say, show))
	require.Empty(t, said, "there was nothing to do")
	require.ErrorContains(t, build(t.Context(), st, "ls /no/such/file", say, show), "/no/such/file")
	require.Zero(t, shown)

	require.NoError(t, build(t.Context(), st, "sleep 3", say, show))
	require.Equal(t, 1, shown)
	require.Contains(t, said[0], "compiled now, once")
}
