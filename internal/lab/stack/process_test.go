package stack

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
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

// A program that ends before it is ready says how, and what it had to say.
func TestProcessThatEndsEarly(t *testing.T) {
	log, err := os.Create(filepath.Join(t.TempDir(), "p.log"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	p := NewProcess("p", log, "/bin/sh", "-c", "seq 1 9; echo last words >&2; exit 3")
	require.NoError(t, p.Start())
	err = p.Await(t.Context(), func(context.Context) error { return errors.New("not ready") })
	require.EqualError(t, err, "p ended before it was ready: exit status 3. The end of its log, "+log.Name()+":\n  6\n  7\n  8\n  9\n  last words")
}
