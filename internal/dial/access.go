package dial

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/sluicehq/sluice/internal/secret"
)

// Access is what a server wants of who asks it. A reference is ${env:NAME} or file:/path, which the
// worker looks up at each request. It goes to the server that is asked and to no other. The zero
// value wants nothing.
type Access struct {
	// Token is a reference, sent as a bearer token.
	Token string `yaml:"token,omitempty" json:"token,omitempty"`
	// BasicAuth is a user with a password.
	BasicAuth *BasicAuth `yaml:"basicAuth,omitempty" json:"basicAuth,omitempty"`
	// Header are headers by name, such as X-Scope-OrgID: their values, or references to them. Host
	// is the name that is asked for, in TLS, too, whatever address is dialled.
	Header map[string]string `yaml:"header,omitempty" json:"header,omitempty"`
	// TLS is how both sides prove who they are.
	TLS *TLS `yaml:"tls,omitempty" json:"tls,omitempty"`
}

// BasicAuth is a user with a password.
type BasicAuth struct {
	// Username is a name, or a reference to it.
	Username string `yaml:"username" json:"username"`
	// Password is a reference.
	Password string `yaml:"password" json:"password"`
}

// TLS are references to certificates and keys in PEM.
type TLS struct {
	// CA signed the server's certificate. Default: the CAs of the worker's system.
	CA string `yaml:"ca,omitempty" json:"ca,omitempty"`
	// Cert and Key are those of the worker, for a server that asks for them.
	Cert string `yaml:"cert,omitempty" json:"cert,omitempty"`
	Key  string `yaml:"key,omitempty" json:"key,omitempty"`
	// ServerName is the name that the server's certificate must have. Default: that of the header
	// Host, else of the URL.
	ServerName string `yaml:"serverName,omitempty" json:"serverName,omitempty"`
}

// Client asks servers that want to know who asks. It follows no redirect, which would carry what is
// asked, and secrets, somewhere else. It is safe for concurrent use.
type Client struct {
	http.Client
	keyed *keyed
}

// Client readies a client over a transport, of which nil is http.DefaultTransport.
func (a Access) Client(via http.RoundTripper) *Client {
	if via == nil {
		via = http.DefaultTransport
	}
	k := &keyed{access: a, next: via}
	c := &Client{keyed: k}
	c.Transport = k
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// Redact takes the secrets that were sent out of a text.
func (c *Client) Redact(text string) string {
	c.keyed.mu.Lock()
	defer c.keyed.mu.Unlock()
	for _, s := range c.keyed.sent {
		text = s.Redact(text)
	}
	return text
}

// keyed adds to requests what their servers want.
type keyed struct {
	access Access
	next   http.RoundTripper

	mu   sync.Mutex
	tls  http.RoundTripper // next, with the certificates; nil until the first request
	sent []secret.Secret
}

// RoundTrip sends a copy of the request with everything that is wanted.
func (k *keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	next, err := k.prepare(r)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	return next.RoundTrip(r)
}

// prepare adds headers to a request, and answers what carries it.
func (k *keyed) prepare(r *http.Request) (http.RoundTripper, error) {
	a := k.access
	if a.Token != "" {
		token, err := k.look("token", a.Token)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if a.BasicAuth != nil {
		user, err := k.look("basicAuth.username", a.BasicAuth.Username)
		if err != nil {
			return nil, err
		}
		password, err := k.look("basicAuth.password", a.BasicAuth.Password)
		if err != nil {
			return nil, err
		}
		r.SetBasicAuth(user, password)
		k.keep(secret.New(strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")))
	}
	named := false
	for name, text := range a.Header {
		value, err := k.look("header."+name, text)
		if err != nil {
			return nil, err
		}
		if http.CanonicalHeaderKey(name) == "Host" {
			r.Host, named = value, true
			continue
		}
		r.Header.Set(name, value)
	}
	if r.URL.Scheme != "https" {
		return k.next, nil
	}
	return k.transport(r.Host, named)
}

// look is a value, which may stand behind a reference.
func (k *keyed) look(field, text string) (string, error) {
	if secret.Check(text) != nil {
		return text, nil //nolint:nilerr // no reference, but the value itself
	}
	s, err := secret.Resolve(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", field, err)
	}
	if strings.ContainsAny(s.Reveal(), "\r\n\x00") {
		return "", fmt.Errorf("%s is more than one line", field)
	}
	k.keep(s)
	return s.Reveal(), nil
}

// mostSent bounds how many secrets are kept to be redacted: they may be rotated.
const mostSent = 16

// keep remembers what nobody may read in an answer.
func (k *keyed) keep(s secret.Secret) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !slices.Contains(k.sent, s) {
		k.sent = append(k.sent[max(0, len(k.sent)+1-mostSent):], s)
	}
}

// transport is what carries a request for a host, which may be named by a header.
func (k *keyed) transport(host string, named bool) (http.RoundTripper, error) {
	t := TLS{}
	if k.access.TLS != nil {
		t = *k.access.TLS
	}
	if t.ServerName == "" && named {
		t.ServerName = host
		if name, _, err := net.SplitHostPort(host); err == nil {
			t.ServerName = name
		}
	}
	if t == (TLS{}) {
		return k.next, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.tls != nil {
		return k.tls, nil
	}
	config, err := t.config()
	if err != nil {
		return nil, fmt.Errorf("tls.%w", err)
	}
	k.tls, err = withTLS(k.next, config)
	return k.tls, err
}

// Wrapper carries requests through another RoundTripper, and can do so through a third.
type Wrapper interface {
	// Inner is what it sends requests through.
	Inner() http.RoundTripper
	// Around is the same around another.
	Around(inner http.RoundTripper) http.RoundTripper
}

// withTLS is a transport of its own with a configuration, in the same wrappers.
func withTLS(next http.RoundTripper, config *tls.Config) (http.RoundTripper, error) {
	switch t := next.(type) {
	case *http.Transport:
		own := t.Clone()
		own.TLSClientConfig = config
		return own, nil
	case Wrapper:
		inner, err := withTLS(t.Inner(), config)
		if err != nil {
			return nil, err
		}
		return t.Around(inner), nil
	}
	return nil, errors.New("tls: not over this transport")
}

// config reads the certificates. The worker's own is read anew for each connection.
func (t TLS) config() (*tls.Config, error) {
	c := &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		ca, err := secret.Resolve(t.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(ca.Reveal())) {
			return nil, errors.New("ca holds no certificate in PEM")
		}
	}
	if t.Cert == "" {
		return c, nil
	}
	own := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return t.pair() }
	if _, err := own(nil); err != nil {
		return nil, err
	}
	c.GetClientCertificate = own
	return c, nil
}

// pair is the worker's own certificate. Its error repeats nothing of the key.
func (t TLS) pair() (*tls.Certificate, error) {
	cert, err := secret.Resolve(t.Cert)
	if err != nil {
		return nil, fmt.Errorf("cert: %w", err)
	}
	key, err := secret.Resolve(t.Key)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	pair, err := tls.X509KeyPair([]byte(cert.Reveal()), []byte(key.Reveal()))
	if err != nil {
		return nil, errors.New("cert and key are no pair in PEM")
	}
	return &pair, nil
}
