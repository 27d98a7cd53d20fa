package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
)

// People read twelve digits of a digest and the version; programs read all of it.
func TestShownShort(t *testing.T) {
	digest := "sha256:" + strings.Repeat("ab", 32)
	v := view{Release: digest, State: &rollout.State{Release: digest, Version: "v7", Why: "all 3 targets run " + digest + ", not " + digest}}
	require.Equal(t, v, (&remote{}).shown(v))
	got := (&remote{short: true}).shown(v)
	require.Equal(t, "v7 (sha256:abababababab)", got.Release)
	require.Equal(t, "all 3 targets run sha256:abababababab, not sha256:abababababab", got.State.Why)
	require.Equal(t, digest, v.State.Release, "what was read stays as it is")

	plain := view{Release: "2.4.1", State: &rollout.State{Release: "2.4.1"}}
	require.Equal(t, plain, (&remote{short: true}).shown(plain))
}
