package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// Nobody listens beyond loopback without asking who reads.
func TestListenOptions(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, ""},
		{[]string{"--listen", ""}, ""},
		{[]string{"--listen", "localhost:0"}, ""},
		{[]string{"--listen", "[::1]:9300"}, ""},
		{[]string{"--listen", "127.8.8.8:9300"}, ""},
		{[]string{"--listen", "0.0.0.0:9300"}, "not on loopback"},
		{[]string{"--listen", ":9300"}, "not on loopback"},
		{[]string{"--listen", "[::]:9300"}, "--listen-token"},
		{[]string{"--listen", "10.0.0.1:9300"}, "not on loopback"},
		{[]string{"--listen", "example.org:9300"}, "not on loopback"},
		{[]string{"--listen", "9300"}, "missing port"},
		{[]string{"--listen", "0.0.0.0:9300", "--listen-cert", "c", "--listen-key", "k"}, "not on loopback"},
		{[]string{"--listen", "0.0.0.0:9300", "--listen-token", "${env:T}"}, ""},
		{[]string{"--listen", "0.0.0.0:9300", "--listen-cert", "c", "--listen-key", "k", "--listen-client-ca", "a"}, ""},
		{[]string{"--listen", "0.0.0.0:9300", "--listen-token", "hunter2"}, "--listen-token is not a reference to a secret"},
		{[]string{"--listen-cert", "c"}, "belong together"},
		{[]string{"--listen-client-ca", "a"}, "needs --listen-cert"},
		{[]string{"--listen", "", "--listen-token", "${env:T}"}, "mean nothing"},
	} {
		_, err := parse(tc.args, io.Discard)
		if tc.want == "" {
			require.NoError(t, err, "%v", tc.args)
			continue
		}
		require.ErrorContains(t, err, tc.want, "%v", tc.args)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// served starts a listener and answers its base URL.
func served(t *testing.T, o listener, health error) string {
	t.Helper()
	require.NoError(t, o.validate())
	core, logs := observer.New(zapcore.InfoLevel)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector())
	stop, err := serve(t.Context(), o, registry, func(context.Context) error { return health }, zap.New(core))
	require.NoError(t, err)
	t.Cleanup(stop)
	where, _ := logs.All()[0].ContextMap()["metrics"].(string)
	require.Regexp(t, `^https?://.*/metrics$`, where)
	return where[:len(where)-len("/metrics")]
}

// get answers the status and the body of a page.
func get(t *testing.T, c *http.Client, where, authorization string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, where, nil)
	require.NoError(t, err)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := c.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

func TestListenOnLoopback(t *testing.T) {
	at := served(t, listener{address: "localhost:0"}, nil)
	status, body := get(t, http.DefaultClient, at+"/metrics", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "go_goroutines")
	status, _ = get(t, http.DefaultClient, at+"/healthz", "")
	require.Equal(t, http.StatusOK, status)
	status, body = get(t, http.DefaultClient, served(t, listener{address: "127.0.0.1:0"}, errors.New("down"))+"/healthz", "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.NotContains(t, body, "down\n")
}

// Without the token there is nothing to read, on any address and any page.
func TestListenWithToken(t *testing.T) {
	t.Setenv("SLUICE_TEST_LISTEN", "hunter2")
	at := served(t, listener{address: "0.0.0.0:0", token: "${env:SLUICE_TEST_LISTEN}"}, nil)
	_, port, err := net.SplitHostPort(at[len("http://"):])
	require.NoError(t, err)
	for _, page := range []string{"/metrics", "/healthz", "/nothing"} {
		where := "http://127.0.0.1:" + port + page
		for _, wrong := range []string{"", "Bearer", "Bearer ", "Bearer hunter", "Bearer hunter22", "Basic hunter2", "hunter2"} {
			status, body := get(t, http.DefaultClient, where, wrong)
			require.Equal(t, http.StatusUnauthorized, status, wrong)
			require.NotContains(t, body, "hunter2")
		}
		status, _ := get(t, http.DefaultClient, where, "bearer hunter2")
		require.NotEqual(t, http.StatusUnauthorized, status)
	}
	_, err = serve(t.Context(), listener{address: "127.0.0.1:0", token: "${env:SLUICE_TEST_NOT_SET}"}, nil, nil, zap.NewNop())
	require.ErrorContains(t, err, "--listen-token: environment variable SLUICE_TEST_NOT_SET is not set")
}

// A name that is taken for loopback and is not leads to no listener.
func TestListenChecksWhereItEndedUp(t *testing.T) {
	_, err := serve(t.Context(), listener{address: "0.0.0.0:0"}, nil, nil, zap.NewNop())
	require.ErrorContains(t, err, "not on loopback")
}

// With a client authority, only those with its certificate get as far as a request.
func TestListenWithClientCertificates(t *testing.T) {
	dir := t.TempDir()
	ours, others := authority(t), authority(t)
	o := listener{
		address: "0.0.0.0:0", cert: filepath.Join(dir, "cert"), key: filepath.Join(dir, "key"), clientCA: filepath.Join(dir, "ca"),
	}
	write(t, o.cert, "CERTIFICATE", ours.Certificate[0])
	key, err := x509.MarshalPKCS8PrivateKey(ours.PrivateKey)
	require.NoError(t, err)
	write(t, o.key, "PRIVATE KEY", key)
	write(t, o.clientCA, "CERTIFICATE", ours.Certificate[0])
	at := served(t, o, nil)
	_, port, err := net.SplitHostPort(at[len("https://"):])
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(ours.Leaf)
	client := func(pairs ...tls.Certificate) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: pairs, MinVersion: tls.VersionTLS12}}}
	}
	where := "https://127.0.0.1:" + port + "/healthz"
	status, _ := get(t, client(ours), where, "")
	require.Equal(t, http.StatusOK, status)
	for _, c := range []*http.Client{client(), client(others)} {
		res, err := c.Get(where)
		if err == nil {
			_ = res.Body.Close()
		}
		require.ErrorContains(t, err, "tls")
	}

	o.clientCA = o.key
	_, err = serve(t.Context(), o, nil, nil, zap.NewNop())
	require.ErrorContains(t, err, "holds no certificate")
	o.cert = o.key
	_, err = serve(t.Context(), o, nil, nil, zap.NewNop())
	require.ErrorContains(t, err, "--listen-cert")
}

// authority is a certificate that signs itself, and is good for both sides.
func authority(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func write(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}
