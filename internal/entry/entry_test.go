package entry

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCode(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code int
		says string
	}{
		"it went well":     {nil, 0, ""},
		"help was asked":   {flag.ErrHelp, 0, ""},
		"it did not go so": {errors.New("no server"), 1, "toy: no server\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			run := func(_ context.Context, args []string, out, _ io.Writer) error {
				require.Equal(t, []string{"--x"}, args)
				_, err := io.WriteString(out, "hello")
				return errors.Join(err, c.err)
			}
			require.Equal(t, c.code, code("toy", run, []string{"--x"}, &stdout, &stderr))
			require.Equal(t, "hello", stdout.String())
			require.Equal(t, c.says, stderr.String())
		})
	}
}

func TestSignalEndsTheContext(t *testing.T) {
	var stderr bytes.Buffer
	run := func(ctx context.Context, _ []string, _, _ io.Writer) error {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}
	require.Equal(t, 1, code("toy", run, nil, io.Discard, &stderr))
	require.Equal(t, "toy: terminated signal received\n", stderr.String())
}

func TestParse(t *testing.T) {
	var stderr bytes.Buffer
	fs := Flags("toy", &stderr)
	n := fs.Int("n", 1, "how many")
	require.NoError(t, Parse(fs, []string{"-n", "3"}))
	require.Equal(t, 3, *n)
	require.ErrorContains(t, Parse(fs, []string{"-n", "3", "stray"}), `"stray" is not a flag`)
	for _, args := range [][]string{{"--m"}, {"-n", "x"}, {"stray"}} {
		stderr.Reset()
		run := func(context.Context, []string, io.Writer, io.Writer) error { return Parse(fs, args) }
		require.Equal(t, 2, code("toy", run, nil, io.Discard, &stderr))
		require.Regexp(t, `^toy: .*: see --help\n$`, stderr.String())
	}
	var stdout bytes.Buffer
	require.Equal(t, 0, code("toy", nil, []string{"--version"}, &stdout, &stderr))
	require.Equal(t, "toy dev\n", stdout.String())
	stderr.Reset()
	require.ErrorIs(t, Parse(fs, []string{"-h"}), flag.ErrHelp)
	require.Contains(t, stderr.String(), "how many")
}
