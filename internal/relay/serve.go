package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/listen"
	"github.com/sluicehq/sluice/internal/secret"
)

// Options say where a relay listens, and who may ask it.
type Options struct {
	// Listen is host:port.
	Listen string
	// AgentToken and WorkerToken are references to the tokens that agents and workers show; empty
	// for none, which only loopback may have.
	AgentToken, WorkerToken string
	// Cert and Key are files with which to serve https. ClientCA signs certificates that agents
	// must show: each carries its target's id as its common name.
	Cert, Key, ClientCA string
}

// Check says what is wrong with the options, as far as it can be known without listening.
func (o Options) Check() error {
	if o.AgentToken != "" && o.AgentToken == o.WorkerToken {
		return errors.New("agents and workers have one token, and an agent could give orders' files: expected two")
	}
	if (o.Cert == "") != (o.Key == "") || o.ClientCA != "" && o.Cert == "" {
		return errors.New("--cert and --key belong together, and --client-ca needs both")
	}
	if !o.guarded() && !listen.Loopback(o.Listen) {
		return fmt.Errorf("--listen %s %w", o.Listen, errExposed)
	}
	return nil
}

var errExposed = errors.New("is not on loopback: expected --worker-token, and --agent-token or --client-ca")

func (o Options) guarded() bool {
	return o.WorkerToken != "" && (o.AgentToken != "" || o.ClientCA != "")
}

// guards are those of agents and of workers.
func (o Options) guards() (agents, workers guard, err error) {
	open := func(h http.Handler) http.Handler { return h }
	agents, workers = open, open
	for _, g := range []struct {
		flag, ref string
		guard     *guard
	}{{"--agent-token", o.AgentToken, &agents}, {"--worker-token", o.WorkerToken, &workers}} {
		if g.ref == "" {
			continue
		}
		token, err := secret.Resolve(g.ref)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", g.flag, err)
		}
		*g.guard = func(h http.Handler) http.Handler { return listen.Bearer(token, "expected the token of "+g.flag, h) }
	}
	if o.ClientCA == "" {
		return agents, workers, nil
	}
	byToken := agents
	return func(h http.Handler) http.Handler {
		return byToken(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
				http.Error(w, "expected a certificate that --client-ca has signed", http.StatusUnauthorized)
				return
			}
			h.ServeHTTP(w, r)
		}))
	}, workers, nil
}

// certified says that who asks has shown a certificate of the target's, or none at all, which the
// guard allows where none is asked for.
func certified(r *http.Request, id string) bool {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return true
	}
	leaf := r.TLS.VerifiedChains[0][0]
	return leaf.Subject.CommonName == id || slices.Contains(leaf.DNSNames, id)
}

// Serve answers requests until ctx ends.
func (x *Relay) Serve(ctx context.Context, o Options, ready func(address string)) error {
	agents, workers, err := o.guards()
	if err != nil {
		return err
	}
	var config *tls.Config
	if o.Cert != "" {
		if config, err = listen.TLS(o.Cert, o.Key, o.ClientCA); err != nil {
			return fmt.Errorf("--cert, --key, --client-ca: %w", err)
		}
		if o.ClientCA != "" {
			config.ClientAuth = tls.VerifyClientCertIfGiven // a worker shows its token
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return err
	}
	if !o.guarded() && !listen.Loopback(l.Addr().String()) { // a name may lead anywhere
		return errors.Join(fmt.Errorf("--listen %s %w", l.Addr(), errExposed), l.Close())
	}
	ready(l.Addr().String())
	if config != nil {
		l = tls.NewListener(l, config)
	}
	srv := &http.Server{
		Handler: x.handler(agents, workers), ErrorLog: slog.NewLogLogger(x.log.Handler(), slog.LevelWarn),
		// Who waits for something new is let go when the relay ends.
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, srv.Shutdown(last))
}
