package main

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run([]string{"-runs", "20"}, &out, io.Discard))
	require.Regexp(t, `(?m)^looks +false alarms of Mann-Whitney\n1 +\d+\.\d %\n5 .*\n20 .*\n100 .*\n$`, out.String())
	require.ErrorContains(t, run([]string{"-runs", "0"}, io.Discard, io.Discard), "-runs 0")
	require.Error(t, run([]string{"-what"}, io.Discard, io.Discard))
}
