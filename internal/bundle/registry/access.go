package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/sluicehq/sluice/internal/secret"
)

// Access is how registries are reached. The zero value asks with what `docker login` has left, and
// speaks HTTPS with all but this machine's own.
type Access struct {
	// PlainHTTP speaks HTTP with every registry.
	PlainHTTP bool
	// User is a name, and Password a reference to a secret, ${env:NAME} or file:/path: a password,
	// or a token in its place. Without a user they come from Docker's config file.
	User, Password string
}

const (
	// answerWithin bounds how long a registry takes to begin an answer; some copy what they were
	// given before they do.
	answerWithin = time.Minute
	// tableWithin bounds how long a manifest and a table take together, and archiveWithin an
	// archive: the largest then comes with 440 KB/s.
	tableWithin, archiveWithin = time.Minute, 10 * time.Minute
	// tries is how often a request that failed at once is sent again.
	tries = 3
	// mostRedirects is what Go's client follows by default.
	mostRedirects = 10
	// mostReferrers bounds the pages of a list of what is attached to a bundle.
	mostReferrers = 4
)

// dial readies a client of a repository. It asks nobody yet.
func (a Access) dial(at Reference) (*remoteSide, error) {
	sent := &witness{next: &http.Transport{}}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t = t.Clone()
		t.ResponseHeaderTimeout = answerWithin
		sent.next = t
	}
	credential, err := a.credential(at)
	if err != nil {
		return nil, err
	}
	again := retry.NewTransport(sent)
	again.Policy = func() retry.Policy {
		return &retry.GenericPolicy{
			Retryable: retry.DefaultPredicate, MaxRetry: tries,
			Backoff: retry.DefaultBackoff, MinWait: 100 * time.Millisecond, MaxWait: 2 * time.Second,
		}
	}
	return &remoteSide{at: at, sent: sent, repo: &remote.Repository{
		Client: &auth.Client{
			Client: &http.Client{Transport: again, CheckRedirect: staysSecret},
			Cache:  auth.NewCache(),
			Header: http.Header{"User-Agent": {"sluice"}},
			Credential: func(ctx context.Context, host string) (auth.Credential, error) {
				c, err := credential(ctx, host)
				sent.keep(c.Password, c.RefreshToken, c.AccessToken)
				return c, err
			},
		},
		Reference: registry.Reference{Registry: at.Registry, Repository: at.Repository},
		PlainHTTP: a.PlainHTTP || at.loopback(), SkipReferrersGC: true, ReferrerListMaxPages: mostReferrers,
	}}, nil
}

// staysSecret follows redirects, as registries send to where they store, but not from HTTPS to
// HTTP.
func staysSecret(r *http.Request, via []*http.Request) error {
	if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return errors.New("it sends on to plain HTTP")
	}
	if len(via) >= mostRedirects {
		return fmt.Errorf("it sends on more than %d times", mostRedirects)
	}
	return nil
}

// credential finds who asks.
func (a Access) credential(at Reference) (auth.CredentialFunc, error) {
	if a.User == "" && a.Password == "" {
		found, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
		if err != nil {
			return nil, fmt.Errorf("read Docker's config file for who asks %s: %w", at.Registry, err)
		}
		return credentials.Credential(found), nil
	}
	password, err := secret.Resolve(a.Password)
	if err != nil {
		return nil, fmt.Errorf("the password for %s: %w", at.Registry, err)
	}
	host := registry.Reference{Registry: at.Registry}.Host()
	return auth.StaticCredential(host, auth.Credential{Username: a.User, Password: password.Reveal()}), nil
}

// witness remembers what was sent to prove who asks, so that no error repeats it.
type witness struct {
	next http.RoundTripper

	mu   sync.Mutex
	sent []secret.Secret
}

// RoundTrip passes on.
func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	_, proof, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	w.keep(proof)
	if pair, err := base64.StdEncoding.DecodeString(proof); err == nil {
		_, password, _ := strings.Cut(string(pair), ":")
		w.keep(password)
	}
	return w.next.RoundTrip(r)
}

func (w *witness) keep(values ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range values {
		if v != "" {
			w.sent = append(w.sent, secret.New(v))
		}
	}
}

func (w *witness) redact(text string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sent {
		text = s.Redact(text)
	}
	return text
}
