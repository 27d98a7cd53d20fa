package dial

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/secret"
)

// Pool carries requests of many clients that come and go, and keeps their connections in between.
// Those that were made with some TLS serve requests with the same TLS only. It is safe for
// concurrent use.
type Pool struct {
	plain *http.Transport
	mu    sync.Mutex
	kept  map[TLS]*keptTransport
}

// keptTransport is a transport of one TLS.
type keptTransport struct {
	*http.Transport
	content [sha256.Size]byte // of its certificates and its key
	used    time.Time
}

// NewPool makes the pool of transports that are like one, with which nobody may do anything else.
func NewPool(plain *http.Transport) *Pool {
	return &Pool{plain: plain, kept: map[TLS]*keptTransport{}}
}

// RoundTrip sends a request without a TLS of its own.
func (p *Pool) RoundTrip(r *http.Request) (*http.Response, error) { return p.plain.RoundTrip(r) }

// With is what carries the next request with a TLS, of which nil wants nothing, through a Pool. The
// certificates are read each time: once one has changed, no older connection is used any more.
func With(via http.RoundTripper, t *TLS) (http.RoundTripper, error) {
	if t == nil || *t == (TLS{}) {
		return via, nil
	}
	p, ok := via.(*Pool)
	if !ok {
		return nil, errors.New("tls: not over this transport")
	}
	content, err := t.content()
	if err != nil {
		return nil, fmt.Errorf("tls.%w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.kept[*t]; k != nil && k.content == content {
		k.used = time.Now()
		return k, nil
	}
	config, err := t.config()
	if err != nil {
		return nil, fmt.Errorf("tls.%w", err)
	}
	p.drop(*t)
	k := &keptTransport{p.plain.Clone(), content, time.Now()}
	k.TLSClientConfig = config
	p.kept[*t] = k
	return k, nil
}

// drop forgets a TLS, and all that were not used for so long that no connection is left.
func (p *Pool) drop(t TLS) {
	for other, k := range p.kept {
		if other == t || time.Since(k.used) > p.plain.IdleConnTimeout {
			k.CloseIdleConnections()
			delete(p.kept, other)
		}
	}
}

// content is a digest of what stands behind the references.
func (t TLS) content() (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	for _, of := range []struct{ field, ref string }{{"ca", t.CA}, {"cert", t.Cert}, {"key", t.Key}} {
		if of.ref == "" {
			continue
		}
		s, err := secret.Resolve(of.ref)
		if err != nil {
			return sum, fmt.Errorf("%s: %w", of.field, err)
		}
		fmt.Fprintf(h, "%s %d %s", of.field, len(s.Reveal()), s.Reveal())
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
