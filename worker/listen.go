package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/sluicehq/sluice/internal/secret"
)

// listener says where /metrics and /healthz are, and who may read them.
type listener struct {
	// address is host:port; empty for no listener.
	address string
	// token is a reference to the bearer token that is asked for; empty for none.
	token string
	// cert and key are files of a certificate, clientCA one of those who sign the
	// certificates that are asked of clients. Empty for none.
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
	host, _, err := net.SplitHostPort(l.address)
	if err != nil {
		return fmt.Errorf("--listen %q: %w", l.address, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && !l.guarded() {
		return l.exposed()
	}
	return nil
}

func (l listener) exposed() error {
	return fmt.Errorf("--listen %q is not on loopback, and anybody there could read the metrics: "+
		"ask for a token with --listen-token '${env:NAME}' or file:/path, "+
		"or for client certificates with --listen-cert, --listen-key and --listen-client-ca", l.address)
}

// listen serves /metrics and /healthz until stop is called.
func listen(
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
	if at, ok := l.Addr().(*net.TCPAddr); !o.guarded() && (!ok || !at.IP.IsLoopback()) {
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
	scheme, serve := "http", func() error { return srv.Serve(l) }
	if tlsConfig != nil {
		scheme, serve = "https", func() error { return srv.ServeTLS(l, "", "") }
	}
	go func() {
		if err := serve(); !errors.Is(err, http.ErrServerClosed) {
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
		open = bearer(token)
	}
	if l.cert == "" {
		return open, nil, nil
	}
	pair, err := tls.LoadX509KeyPair(l.cert, l.key)
	if err != nil {
		return nil, nil, fmt.Errorf("--listen-cert %s, --listen-key %s: %w", l.cert, l.key, err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if l.clientCA != "" {
		data, err := os.ReadFile(l.clientCA)
		if err != nil {
			return nil, nil, fmt.Errorf("--listen-client-ca: %w", err)
		}
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !config.ClientCAs.AppendCertsFromPEM(data) {
			return nil, nil, fmt.Errorf("--listen-client-ca %s holds no certificate, expected PEM", l.clientCA)
		}
	}
	return open, config, nil
}

// bearer lets only requests with the token through. It takes as long for a token that
// is nearly right as for any other.
func bearer(token secret.Secret) func(http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token.Reveal()))
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			got := sha256.Sum256([]byte(given))
			if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
				w.Header().Set("WWW-Authenticate", "Bearer")
				http.Error(w, "expected the bearer token of --listen-token", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
