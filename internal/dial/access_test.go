package dial

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a server wants is looked up and sent, and can be taken out of what it says.
func TestAccess(t *testing.T) {
	t.Setenv("TOKEN", "s3cret-token")
	t.Setenv("PASSWORD", "s3cret-password")
	t.Setenv("TENANT", "s3cret-tenant")
	var asked *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r }))
	t.Cleanup(s.Close)
	get := func(a Access) *Client {
		c := a.Client(Guard{}.Transport())
		res, err := c.Get(s.URL)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return c
	}
	c := get(Access{Token: "${env:TOKEN}", Header: map[string]string{"X-Scope-OrgID": "${env:TENANT}", "x-team": "edge", "host": "www.example.com"}})
	require.Equal(t, "Bearer s3cret-token", asked.Header.Get("Authorization"))
	require.Equal(t, []string{"s3cret-tenant", "edge"}, []string{asked.Header.Get("X-Scope-OrgID"), asked.Header.Get("X-Team")})
	require.Equal(t, "www.example.com", asked.Host)
	require.Equal(t, "a [redacted] b [redacted]", c.Redact("a s3cret-token b s3cret-tenant"))
	c = get(Access{BasicAuth: &BasicAuth{Username: "ann", Password: "${env:PASSWORD}"}})
	user, password, _ := asked.BasicAuth()
	require.Equal(t, []string{"ann", "s3cret-password"}, []string{user, password})
	require.NotContains(t, c.Redact("not "+asked.Header.Get("Authorization")), "YW5u", "as it is sent")
	get(Access{})
	require.Empty(t, asked.Header.Get("Authorization"))

	for what, a := range map[string]Access{
		"token: environment variable NONE is not set": {Token: "${env:NONE}"},
		"basicAuth.password: environment variable":    {BasicAuth: &BasicAuth{Password: "${env:NONE}"}},
		"header.X-A: environment variable NONE":       {Header: map[string]string{"X-A": "${env:NONE}"}},
	} {
		_, err := a.Client(nil).Get(s.URL)
		require.ErrorContains(t, err, what)
	}
}

// A secret goes to the server that is asked, and not where that one redirects to.
func TestAccessFollowsNoRedirect(t *testing.T) {
	t.Setenv("TOKEN", "s3cret-token")
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	t.Cleanup(elsewhere.Close)
	s := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(s.Close)
	res, err := Access{Token: "${env:TOKEN}"}.Client(nil).Get(s.URL)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusTemporaryRedirect, res.StatusCode)
}

// Both sides prove who they are, by certificates of an own CA, which is asked by name.
func TestAccessTLS(t *testing.T) {
	var asked *http.Request
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r }))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return "file:" + path
	}
	own := s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	require.NoError(t, err)
	all := TLS{
		CA:   write("ca", "CERTIFICATE", own.Certificate[0]),
		Cert: write("cert", "CERTIFICATE", own.Certificate[0]),
		Key:  write("key", "PRIVATE KEY", key),
	}
	get := func(c TLS, header map[string]string) error {
		res, err := Access{TLS: &c, Header: header}.Client(Guard{}.Transport()).Get(s.URL)
		if err == nil {
			err = res.Body.Close()
		}
		return err
	}
	require.NoError(t, get(all, nil), "by its address, which is in the certificate")
	require.NoError(t, get(all, map[string]string{"Host": "example.com:8443"}))
	require.Equal(t, "example.com:8443", asked.Host)
	require.Equal(t, "example.com", asked.TLS.ServerName)
	require.Len(t, asked.TLS.PeerCertificates, 1)
	require.ErrorContains(t, get(all, map[string]string{"Host": "www.elsewhere.org"}), "elsewhere.org", "it is verified, too")
	named := all
	named.ServerName = "example.com"
	require.NoError(t, get(named, map[string]string{"Host": "www.elsewhere.org"}))
	require.ErrorContains(t, get(TLS{Cert: all.Cert, Key: all.Key}, nil), "certificate signed by unknown authority")
	require.ErrorContains(t, get(TLS{CA: all.CA}, nil), "certificate required")
	require.ErrorContains(t, get(TLS{CA: all.Key}, nil), "tls.ca holds no certificate in PEM")
	require.ErrorContains(t, get(TLS{CA: all.CA, Cert: all.Cert, Key: all.Cert}, nil), "tls.cert and key are no pair in PEM")
	err = get(TLS{CA: all.CA, Cert: all.Cert, Key: "file:" + filepath.Join(dir, "none")}, nil)
	require.ErrorContains(t, err, "tls.key: ")
	require.NotContains(t, err.Error(), "PRIVATE")
}
