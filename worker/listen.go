package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/sluicehq/sluice/internal/listen"
	"github.com/sluicehq/sluice/internal/secret"
)

// listener says where /metrics and /healthz are, and who may read them.
type listener struct {
	// address is host:port; empty for no listener.
	address string
	// token is a reference to the bearer token that is asked for; empty for none.
	token string
	// cert and key are files of a certificate, clientCA one of those who sign the certificates that
	// are asked of clients. Empty for none.
	cert, key, clientCA string
}

// guarded says that whoever reads must prove to be allowed to.
func (l listener) guarded() bool { return l.token != "" || l.clientCA != "" }

func (l listener) validate() error {
	switch {
	case l.address == "" && (l.guarded() || l.cert != "" || l.key != ""):
		return errors.New("--listen is empty, so --listen-token, --listen-cert, --listen-key and --listen-client-ca mean nothing: " +
			"give an address or leave them out")
	case l.address == "":
		return nil
	case (l.cert == "") != (l.key == ""):
		return errors.New("--listen-cert and --listen-key belong together, expected both or none")
	case l.clientCA != "" && l.cert == "":
		return errors.New("--listen-client-ca asks clients for certificates, which needs --listen-cert and --listen-key, too")
	}
	if l.token != "" {
		if err := secret.Check(l.token); err != nil {
			return fmt.Errorf("--listen-token is %w", err)
		}
	}
	if _, _, err := net.SplitHostPort(l.address); err != nil {
		return fmt.Errorf("--listen %q: %w", l.address, err)
	}
	if !listen.Loopback(l.address) && !l.guarded() {
		return l.exposed()
	}
	return nil
}

func (l listener) exposed() error {
	return fmt.Errorf("--listen %q is not on loopback, and anybody there could read the metrics: "+
		"ask for a token with --listen-token '${env:NAME}' or file:/path, "+
		"or for client certificates with --listen-cert, --listen-key and --listen-client-ca", l.address)
}

// serve serves /metrics and /healthz until stop is called.
func serve(
	ctx context.Context, o listener, reg *prometheus.Registry, health func(context.Context) error, log *zap.Logger,
) (stop func(), err error) {
	guard, tlsConfig, err := o.guard()
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.address)
	if err != nil {
		return nil, fmt.Errorf("listen for /metrics: %w (choose another with --listen, or none with --listen=)", err)
	}
	// A name such as localhost may lead anywhere.
	if !o.guarded() && !listen.Loopback(l.Addr().String()) {
		_ = l.Close()
		return nil, o.exposed()
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if health(ctx) != nil {
			http.Error(w, "temporal does not answer", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	srv := &http.Server{
		Handler: guard(mux), TLSConfig: tlsConfig, ErrorLog: zap.NewStdLog(log),
		ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	scheme, begin := "http", func() error { return srv.Serve(l) }
	if tlsConfig != nil {
		scheme, begin = "https", func() error { return srv.ServeTLS(l, "", "") }
	}
	go func() {
		if err := begin(); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics listener ended", zap.Error(err))
		}
	}()
	log.Info("listening", zap.String("metrics", scheme+"://"+l.Addr().String()+"/metrics"))
	return func() { _ = srv.Close() }, nil
}

// guard readies what is asked of those who read: a token, a certificate, or nothing.
func (l listener) guard() (func(http.Handler) http.Handler, *tls.Config, error) {
	open := func(h http.Handler) http.Handler { return h }
	if l.token != "" {
		token, err := secret.Resolve(l.token)
		if err != nil {
			return nil, nil, fmt.Errorf("--listen-token: %w", err)
		}
		open = func(h http.Handler) http.Handler {
			return listen.Bearer(token, "expected the bearer token of --listen-token", h)
		}
	}
	if l.cert == "" {
		return open, nil, nil
	}
	config, err := listen.TLS(l.cert, l.key, l.clientCA)
	if err != nil {
		return nil, nil, fmt.Errorf("--listen-cert, --listen-key, --listen-client-ca: %w", err)
	}
	return open, config, nil
}
