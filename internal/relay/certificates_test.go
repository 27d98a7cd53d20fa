package relay

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authority signs certificates, and keeps them in a folder.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.issue("ca")
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name+".pem") }

// issue makes a certificate, the first one for the authority itself.
func (a *authority) issue(name string) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if a.cert == nil {
		c.IsCA, c.BasicConstraintsValid = true, true
		a.cert, a.key = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	require.NoError(a.t, err)
	if c.IsCA {
		a.cert, err = x509.ParseCertificate(der)
		require.NoError(a.t, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	both := append(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	require.NoError(a.t, os.WriteFile(a.file(name), both, 0o600))
	pair, err := tls.X509KeyPair(both, both)
	require.NoError(a.t, err)
	return pair
}

// Where agents must show certificates, each reports for itself only, and workers need none.
func TestCertificates(t *testing.T) {
	a := newAuthority(t)
	a.issue("relay")
	t.Setenv("WORKERS", "of workers")
	r := newRig(t)
	address := serve(t, open(t, r.folder), Options{
		Listen: "127.0.0.1:0", WorkerToken: "${env:WORKERS}", Cert: a.file("relay"), Key: a.file("relay"), ClientCA: a.file("ca"),
	})
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	send := func(method, path, token string, certs ...tls.Certificate) int {
		t.Helper()
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certs, MinVersion: tls.VersionTLS12}}
		defer transport.CloseIdleConnections()
		report := fmt.Appendf(nil, `{"id":%q,"unit":"features"}`, filepath.Base(path))
		req, err := http.NewRequestWithContext(t.Context(), method, "https://"+address+"/sluice/v1/"+path, bytes.NewReader(report))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return 0
		}
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	one, other := a.issue("web-1"), newAuthority(t).issue("web-1")
	const where = "reports/features/eu/web-"
	require.Equal(t, 204, send("PUT", where+"1", "", one))
	require.Equal(t, 204, send("GET", mine, "", one))
	require.Equal(t, 403, send("PUT", where+"2", "", one), "it is another's")
	require.Equal(t, 401, send("PUT", where+"1", ""), "no certificate")
	require.Equal(t, 401, send("PUT", where+"1", "of workers"), "workers do not report")
	require.NotEqual(t, 204, send("PUT", where+"1", "", other), "another authority's")
	require.Equal(t, 200, send("GET", where+"1", "of workers"))
	require.Equal(t, 401, send("GET", where+"1", "", one), "agents read no reports")
}
