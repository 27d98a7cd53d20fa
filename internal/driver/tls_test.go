package driver_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// authority signs certificates in a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issued is a certificate with its key, in PEM.
type issued struct{ cert, key []byte }

func newAuthority(t *testing.T) *authority {
	a := &authority{}
	a.issue(t, "an authority", time.Hour)
	return a
}

// file writes PEM and answers a reference to it.
func file(t *testing.T, path string, data []byte) string {
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return "file:" + path
}

// ca is a reference to the authority's own certificate.
func (a *authority) ca(t *testing.T, path string) string {
	return file(t, path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// issue makes a certificate for a name, the first one for the authority itself.
func (a *authority) issue(t *testing.T, name string, valid time.Duration) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(valid),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	by, with := a.cert, a.key
	if by == nil {
		c.IsCA, c.BasicConstraintsValid, c.DNSNames = true, true, nil
		by, with = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, with)
	require.NoError(t, err)
	if c.IsCA {
		a.key = key
		a.cert, err = x509.ParseCertificate(der)
		require.NoError(t, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return issued{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}
}

// secured is a target with a certificate, which can be exchanged.
type secured struct {
	*place
	cert        atomic.Pointer[tls.Certificate]
	connections atomic.Int32
	shown       atomic.Value // the name in the worker's certificate of the last request
	at          fleet.Target
}

// show exchanges the certificate.
func (s *secured) show(t *testing.T, i issued) {
	pair, err := tls.X509KeyPair(i.cert, i.key)
	require.NoError(t, err)
	s.cert.Store(&pair)
}

// secure serves a target. Clients are those whose certificates it asks for; nil for none.
func secure(t *testing.T, i issued, clients *authority) *secured {
	s := &secured{place: &place{}}
	s.show(t, i)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if certs := r.TLS.PeerCertificates; len(certs) > 0 {
			s.shown.Store(certs[0].Subject.CommonName)
		}
		s.ServeHTTP(w, r)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		s.connections.Add(1)
		c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*s.cert.Load()}}
		if clients != nil {
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
			c.ClientCAs.AddCert(clients.cert)
		}
		return c, nil
	}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	s.at = fleet.Target{ID: "a", Address: strings.TrimPrefix(srv.URL, "https://"), Labels: map[string]string{"place": "x"}}
	return s
}

// overTLS is the http driver as one activity has it, over the transport of all.
func overTLS(via http.RoundTripper, t dial.TLS) driver.Driver {
	x := &driver.HTTP{TLS: &t}
	x.SetDefaults()
	return x.Driver(via)
}

// silent requires that what a target does is no answer: nothing is known of it, it got no order, and
// it may be tried again.
func silent(t *testing.T, s *secured, d driver.Driver, want ...string) {
	t.Helper()
	state, err := d.Observe(t.Context(), s.at, "proxy")
	applied := d.Apply(t.Context(), s.at, order("2", 1))
	require.Zero(t, state)
	for _, err := range []error{err, applied} {
		requireKind(t, errAgain, err, "")
		require.NotErrorIs(t, err, driver.ErrAnswer)
		require.NotErrorIs(t, err, driver.ErrOther)
		require.NotErrorIs(t, err, dial.ErrOwn)
		require.NotContains(t, err.Error(), "PRIVATE")
	}
	for _, text := range want {
		require.ErrorContains(t, err, text)
	}
	require.Empty(t, s.release)
	require.Nil(t, s.last, "nothing was sent")
}

// A server is taken at the word of the CA that the spec names and by its name, and nobody else is.
func TestHTTPCertificates(t *testing.T) {
	ours, theirs, dir := newAuthority(t), newAuthority(t), t.TempDir()
	ca := ours.ca(t, filepath.Join(dir, "ca"))
	via := driver.Transport(dial.Guard{})
	good := dial.TLS{CA: ca, ServerName: "edge.example"}

	s := secure(t, ours.issue(t, "edge.example", time.Hour), nil)
	silent(t, s, overTLS(via, dial.TLS{ServerName: "edge.example"}),
		"GET https://"+s.at.Address, "its certificate is signed by no CA of the worker's system: ", "signed by unknown authority")
	silent(t, s, overTLS(via, dial.TLS{CA: theirs.ca(t, filepath.Join(dir, "theirs")), ServerName: "edge.example"}),
		"its certificate is signed by no CA of driver.http.tls.ca (file:"+dir+"/theirs): ")
	silent(t, s, overTLS(via, dial.TLS{CA: ca}), "its certificate is for another name: ", "127.0.0.1")
	silent(t, s, overTLS(via, dial.TLS{CA: ca, ServerName: "www.example"}), "its certificate is for another name: ", "not www.example")
	silent(t, s, newHTTP(t, driver.HTTP{URL: "https://{{address}}/{{unit}}"}), "its certificate is for another name: ")

	d := overTLS(via, good)
	require.NoError(t, d.Apply(t.Context(), s.at, order("2", 1)))
	state, err := d.Observe(t.Context(), s.at, "proxy")
	require.NoError(t, err)
	require.Equal(t, driver.State{Release: "2", Fence: 1, Alive: true}, state)

	silent(t, secure(t, ours.issue(t, "edge.example", -time.Hour), nil), d, "its certificate is not valid: ", "expired")
	silent(t, secure(t, theirs.issue(t, "edge.example", time.Hour), nil), d, "is signed by no CA of driver.http.tls.ca (file:"+dir+"/ca): ")
	silent(t, secure(t, ours.issue(t, "evil\x1b[31m.example", time.Hour), nil), d, "is for another name: ")
}

// A target that wants to know who asks gets the worker's certificate; without, it is not asked.
func TestHTTPClientCertificate(t *testing.T) {
	ours, theirs, dir := newAuthority(t), newAuthority(t), t.TempDir()
	s := secure(t, ours.issue(t, "edge.example", time.Hour), ours)
	via := driver.Transport(dial.Guard{})
	settings := func(name string, i issued) dial.TLS {
		return dial.TLS{
			CA: ours.ca(t, filepath.Join(dir, "ca")), ServerName: "edge.example",
			Cert: file(t, filepath.Join(dir, name), i.cert), Key: file(t, filepath.Join(dir, name+".key"), i.key),
		}
	}
	worker, stranger := settings("worker", ours.issue(t, "worker", time.Hour)), settings("stranger", theirs.issue(t, "stranger", time.Hour))
	d := overTLS(via, worker)
	_, err := d.Observe(t.Context(), s.at, "proxy")
	require.NoError(t, err)
	require.Equal(t, "worker", s.shown.Load())
	s.last = nil

	none := worker
	none.Cert, none.Key = "", ""
	for what, other := range map[string]dial.TLS{
		"it asks for a certificate of the worker, and was shown none: ":                          none,
		"it does not accept the certificate in driver.http.tls.cert (file:" + dir + "/stranger)": stranger,
	} {
		_, err = overTLS(via, other).Observe(t.Context(), s.at, "proxy")
		require.ErrorContains(t, err, what, "the worker's connections are not those of others")
		requireKind(t, errAgain, err, what)
		require.Nil(t, s.last)
	}

	for what, broken := range map[string]dial.TLS{
		"driver.http.tls.key: secret: ":                         {Cert: worker.Cert, Key: "file:" + dir + "/none"},
		"driver.http.tls.cert and key are no pair in PEM":       {Cert: worker.Cert, Key: stranger.Key},
		"driver.http.tls.ca holds no certificate in PEM":        {CA: worker.Key},
		"driver.http.tls.ca: environment variable NONE_OF_SUCH": {CA: "${env:NONE_OF_SUCH}"},
	} {
		silent(t, s, overTLS(via, broken), what)
	}
	x := driver.HTTP{TLS: &worker}
	x.SetDefaults()
	_, err = x.Driver(http.DefaultTransport).Observe(t.Context(), s.at, "proxy")
	require.ErrorContains(t, err, "driver.http.tls: not over this transport")
}

// Connections outlive an activity, and are made anew once a file has changed.
func TestHTTPCertificatesRotate(t *testing.T) {
	old, next, dir := newAuthority(t), newAuthority(t), t.TempDir()
	s := secure(t, old.issue(t, "edge.example", time.Hour), old)
	write := func(i issued) {
		file(t, filepath.Join(dir, "cert"), i.cert)
		file(t, filepath.Join(dir, "key"), i.key)
	}
	write(old.issue(t, "worker-1", time.Hour))
	settings := dial.TLS{
		CA: old.ca(t, filepath.Join(dir, "ca")), ServerName: "edge.example", Cert: "file:" + dir + "/cert", Key: "file:" + dir + "/key",
	}
	via := driver.Transport(dial.Guard{})
	ask := func() error {
		_, err := overTLS(via, settings).Observe(t.Context(), s.at, "proxy")
		return err
	}
	for range 3 {
		require.NoError(t, ask())
	}
	require.Equal(t, []any{"worker-1", int32(1)}, []any{s.shown.Load(), s.connections.Load()})
	write(old.issue(t, "worker-2", time.Hour))
	for range 3 {
		require.NoError(t, ask())
	}
	require.Equal(t, []any{"worker-2", int32(2)}, []any{s.shown.Load(), s.connections.Load()})

	next.ca(t, filepath.Join(dir, "ca"))
	require.ErrorContains(t, ask(), "signed by no CA of driver.http.tls.ca", "not over a connection of before")
	s.show(t, next.issue(t, "edge.example", time.Hour))
	require.NoError(t, ask())
}

// No certificate leads to where a cloud keeps credentials, nor after a redirect.
func TestHTTPCertificatesAreGuarded(t *testing.T) {
	ours := newAuthority(t)
	settings := dial.TLS{CA: ours.ca(t, filepath.Join(t.TempDir(), "ca")), ServerName: "edge.example"}
	d := overTLS(driver.Transport(dial.Guard{}), settings)
	_, err := d.Observe(t.Context(), fleet.Target{ID: "a", Address: "169.254.169.254:443"}, "proxy")
	require.ErrorIs(t, err, driver.ErrRefused)
	require.ErrorContains(t, err, "--allow-link-local")
	s := secure(t, ours.issue(t, "edge.example", time.Hour), nil)
	s.mode = "301"
	require.ErrorIs(t, d.Apply(t.Context(), s.at, order("2", 1)), driver.ErrRefused)
	s.mode = "say:" + strings.Repeat(" ", 65<<10) + `{"release":"1","alive":true}`
	_, err = d.Observe(t.Context(), s.at, "proxy")
	require.ErrorContains(t, err, "larger than")
}

// tlsRig is httpRig with certificates on both sides.
func tlsRig(t *testing.T) rig {
	ours, dir, targets := newAuthority(t), t.TempDir(), map[string]*secured{}
	worker, server := ours.issue(t, "worker", time.Hour), ours.issue(t, "edge.example", time.Hour)
	settings := dial.TLS{
		CA: ours.ca(t, filepath.Join(dir, "ca")), ServerName: "edge.example",
		Cert: file(t, filepath.Join(dir, "cert"), worker.cert), Key: file(t, filepath.Join(dir, "key"), worker.key),
	}
	over := func(timeout time.Duration) driver.Driver {
		return open(t, "http", driver.HTTP{
			URL: "https://{{address}}/{{label.place}}/{{unit}}", TLS: &settings, Timeout: spec.Duration(timeout),
		})
	}
	return rig{
		driver: over(20 * time.Second),
		quick:  over(200 * time.Millisecond),
		target: func(id string) fleet.Target {
			if targets[id] == nil {
				targets[id] = secure(t, server, ours)
			}
			where := targets[id].at
			where.ID, where.Labels = id, map[string]string{"place": "x"}
			return where
		},
		mode: func(id, mode string) {
			targets[id].mu.Lock()
			defer targets[id].mu.Unlock()
			targets[id].mode = mode
		},
		crashed: "it ?[31mcrashed",
		garbage: garbage(),
	}
}

// Agents, and a relay before them, may ask workers for certificates.
func TestAgentCertificates(t *testing.T) {
	ours, dir := newAuthority(t), t.TempDir()
	worker := ours.issue(t, "worker", time.Hour)
	both := dial.TLS{
		CA: ours.ca(t, filepath.Join(dir, "ca")), ServerName: "edge.example",
		Cert: file(t, filepath.Join(dir, "cert"), worker.cert), Key: file(t, filepath.Join(dir, "key"), worker.key),
	}
	for name, rig := range map[string]func() (*agents, fleet.Target, string){
		"agent": func() (*agents, fleet.Target, string) {
			a := newAgents(t)
			at := a.target("a")
			at.Address = front(t, ours, a.host("a").server.Config.Handler)
			return a, at, ""
		},
		"relay": func() (*agents, fleet.Target, string) {
			a := newRelayed(t)
			return a, a.target("a"), "https://" + front(t, ours, a.relay)
		},
	} {
		a, at, via := rig()
		with := func(of *dial.TLS) driver.Driver {
			return named{a, a.driver(20*time.Second, func(x *driver.Agent) {
				x.TLS, x.Via = of, via
				if via == "" {
					x.URL = "https://{{address}}/{{label.place}}"
				}
			})}
		}
		require.NoError(t, with(&both).Apply(t.Context(), at, order("2", 1)), name)
		s, err := with(&both).Observe(t.Context(), at, "proxy")
		require.NoError(t, err, name)
		require.Equal(t, "2", s.Release, name)
		nobody := both
		nobody.Cert, nobody.Key = "", ""
		_, err = with(&nobody).Observe(t.Context(), at, "proxy")
		require.ErrorContains(t, err, "certificate", name)
		require.NotErrorIs(t, err, driver.ErrRefused, name)
	}
	x := &driver.Agent{TLS: &both}
	x.SetDefaults()
	require.Equal(t, "https://{{address}}", x.URL)
}

// front asks for a certificate of an authority before it passes requests on.
func front(t *testing.T, a *authority, h http.Handler) (address string) {
	srv := httptest.NewUnstartedServer(h)
	i := a.issue(t, "edge.example", time.Hour)
	pair, err := tls.X509KeyPair(i.cert, i.key)
	require.NoError(t, err)
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "https://")
}
