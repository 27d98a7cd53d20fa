package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Real agents go forward and back, by a rollout and without one.
func TestAgents(t *testing.T) {
	o := testOptions(t)
	o.agents, o.repeat = 20, 1
	table, err := measureAgents(t.Context(), o)
	require.NoError(t, err)
	var text strings.Builder
	table.Text(&text)
	for _, want := range []string{"20 agents prepare", "prepare: ask", "forward: observe", "back: from the abort"} {
		require.Contains(t, text.String(), want)
	}
	require.NotContains(t, text.String(), "NaN")
}

// A relay and a simulated fleet answer whoever polls them.
func TestPolls(t *testing.T) {
	b := boxes{dir: t.TempDir(), bin: testOptions(t).bin.Dir}
	t.Cleanup(b.close)
	for range 2 { // the second asks the same programs
		_, err := b.asked(t.Context(), b.openRelay, "", 2, 3)
		require.NoError(t, err)
		_, err = b.asked(t.Context(), b.openSim, "", 2, 3)
		require.NoError(t, err)
	}
	require.Contains(t, b.relay.url, "?have=", "the agent has the order")
}
