package hosts

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/agent"
)

func TestSettings(t *testing.T) {
	c, err := agent.Parse("agent.yaml", []byte(Settings("host-1", "127.0.0.1:7311", t.TempDir())))
	require.NoError(t, err)
	require.Equal(t, "host-1", c.ID)
	require.Len(t, c.Units[Unit].Check, 8)
}

// A harmful version fails some of what a service is asked since the page was read before.
func TestPage(t *testing.T) {
	h := &Host{Dir: t.TempDir()}
	read := func() string {
		h.page.at = time.Now().Add(-10 * time.Second)
		rec := httptest.NewRecorder()
		h.page.write(rec, h.Loaded())
		return rec.Body.String()
	}
	require.Contains(t, read(), "{code=\"500\"} 0\n")
	require.NoError(t, os.WriteFile(filepath.Join(h.Dir, "loaded"), []byte("harmful 7\n"), 0o600))
	require.Regexp(t, `{code="500"} [1-9]\d*\n`, read())
}

// Until something is installed, there is no link, and nothing is loaded.
func TestNothingYet(t *testing.T) {
	h := &Host{Dir: t.TempDir()}
	release, err := h.Behind(nil)
	require.NoError(t, err)
	require.Empty(t, release)
	require.Empty(t, h.Loaded())
}
