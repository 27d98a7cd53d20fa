package program_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/program"
)

func sh(script string) program.Call {
	return program.Call{Argv: []string{"/bin/sh", "-c", script, "x"}, Timeout: 20 * time.Second}
}

// An answer is the beginning of stdout; all else is chatter, of which the end is kept.
func TestAnswer(t *testing.T) {
	call := sh("echo answer; echo chatter >&2; exit 3")
	call.Answer = 100
	r, err := program.Run(t.Context(), call)
	require.NoError(t, err)
	require.Equal(t, "answer\n", r.Stdout)
	require.False(t, r.Cut)
	require.EqualError(t, r.Failure(), "/bin/sh: exit status 3: chatter")

	call.Answer = 6
	r, err = program.Run(t.Context(), call)
	require.NoError(t, err)
	require.Equal(t, "answer", r.Stdout)
	require.True(t, r.Cut)

	r, err = program.Run(t.Context(), sh("echo one; echo two >&2; exit 1"))
	require.NoError(t, err)
	require.Empty(t, r.Stdout)
	require.EqualError(t, r.Failure(), "/bin/sh: exit status 1: one | two")
	r, err = program.Run(t.Context(), sh("exit 1"))
	require.NoError(t, err)
	require.EqualError(t, r.Failure(), "/bin/sh: exit status 1: no output")
}

func TestFloodIsBounded(t *testing.T) {
	call := sh("head -c 10000000 /dev/zero | tr '\\0' x; echo end >&2; exit 1")
	call.Answer = 1000
	r, err := program.Run(t.Context(), call)
	require.NoError(t, err)
	require.Len(t, r.Stdout, 1000)
	require.EqualError(t, r.Failure(), "/bin/sh: exit status 1: end")
	call.Answer = 0
	r, err = program.Run(t.Context(), call)
	require.NoError(t, err)
	require.Less(t, len(r.Failure().Error()), 3000)
	require.True(t, strings.HasSuffix(r.Failure().Error(), "xend"))
}

// A program sees what it is given, and of the worker only where programs are.
func TestEnvironment(t *testing.T) {
	t.Setenv("SECRET", "hunter2")
	call := sh("env")
	call.Answer, call.Env = 10_000, map[string]string{"SLUICE_UNIT": "edge"}
	r, err := program.Run(t.Context(), call)
	require.NoError(t, err)
	require.Contains(t, r.Stdout, "SLUICE_UNIT=edge\n")
	require.Contains(t, r.Stdout, "PATH=")
	require.NotContains(t, r.Stdout, "hunter2")
}

func TestWithoutAStatus(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	slow := sh("sleep 1000")
	slow.Timeout = 50 * time.Millisecond
	for want, call := range map[string]program.Call{
		"not done within 50ms":  slow,
		"signal: killed: bye":   sh("echo bye; kill -9 $$"),
		"no such file":          {Argv: []string{"./none"}, Timeout: time.Second},
		"executable file not f": {Argv: []string{"no-such-program-here"}, Timeout: time.Second},
	} {
		r, err := program.Run(t.Context(), call)
		require.ErrorContains(t, err, want)
		require.Zero(t, r)
	}
	_, err := program.Run(gone, sh("true"))
	require.ErrorContains(t, err, "not started")
}
