package stack

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A cluster starts from a folder that its user may not read, survives SIGKILL, and leaves nothing
// behind.
func TestPostgres(t *testing.T) {
	if _, err := postgresPrograms(); err != nil {
		t.Skip(err)
	}
	private := t.TempDir()
	require.NoError(t, os.Chmod(private, 0o700))
	t.Chdir(private)
	p, err := startPostgres(t.Context(), t.Output())
	require.NoError(t, err)
	t.Cleanup(p.close)
	require.Equal(t, p.dir, p.Process.dir, "its own folder, not this one")
	first := p.PID()
	p.Kill()
	require.NoError(t, p.Restart(t.Context()))
	second := p.PID()
	require.NotEqual(t, first, second)
	p.close()
	require.NoDirExists(t, p.dir)
	require.ErrorIs(t, syscall.Kill(second, 0), syscall.ESRCH)
}

func TestPostgresVersion(t *testing.T) {
	require.Equal(t, 15, postgresVersion("/usr/lib/postgresql/15/bin/initdb"))
	require.Greater(t, postgresVersion("/usr/lib/postgresql/9/bin/initdb"), postgresVersion("/usr/lib/postgresql/x/bin/initdb"))
}
