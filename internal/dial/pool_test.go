package dial

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Who asks with the same TLS shares connections, whatever came between; who has not asked for as
// long as connections are kept is forgotten.
func TestPool(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	plain := Guard{}.Transport()
	p := NewPool(plain)
	with := func(of *TLS) http.RoundTripper {
		via, err := With(p, of)
		require.NoError(t, err)
		return via
	}
	require.Same(t, p, with(nil))
	require.Same(t, p, with(&TLS{}))
	one, two := &TLS{CA: "file:" + ca}, &TLS{CA: "file:" + ca, ServerName: "example.com"}
	first := with(one)
	require.NotSame(t, first, with(two))
	require.Same(t, first, with(one))
	require.Len(t, p.kept, 2)
	res, err := (&http.Client{Transport: first}).Get(s.URL)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())

	p.kept[*two].used = time.Now().Add(-plain.IdleConnTimeout - time.Second)
	with(&TLS{CA: "file:" + ca, ServerName: "www.example.com"})
	require.Len(t, p.kept, 2, "the second is forgotten")
	require.Same(t, first, with(one))
}
