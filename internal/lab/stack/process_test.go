package stack

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProcessSaysHowItEnded(t *testing.T) {
	for script, want := range map[string]string{
		"exit 3":     "exit status 3",
		"exit 0":     "exit status 0",
		"kill -9 $$": "signal: killed",
	} {
		p := NewProcess("p", new(bytes.Buffer), "/bin/sh", "-c", script)
		require.NoError(t, p.Start())
		how, err := p.Ended(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, how)
		require.False(t, p.Running())
	}
}

func TestProcessThatGoesOn(t *testing.T) {
	p := NewProcess("p", new(bytes.Buffer), "/bin/sleep", "600")
	_, err := p.Ended(t.Context())
	require.Error(t, err, "it was never started")
	require.NoError(t, p.Start())
	t.Cleanup(p.Kill)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Ended(ctx)
	require.ErrorIs(t, err, context.Canceled)
}
