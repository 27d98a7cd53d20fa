package agent

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/listen"
	"github.com/sluicehq/sluice/internal/secret"
)

const (
	// maxBody is how large an order is.
	maxBody = 64 << 10
	// uploads is how many are received at once.
	uploads = 4
	// lastOrders is how long orders that are under way may take when the agent is asked to stop.
	lastOrders = time.Minute
)

// Serve answers orders until ctx ends.
func (a *Agent) Serve(ctx context.Context, ready func(address string)) error {
	handler, config, err := a.guard(a.Handler())
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.config.Listen)
	if err != nil {
		return err
	}
	if !a.config.guarded() && !listen.Loopback(l.Addr().String()) {
		return errors.Join(fmt.Errorf("listen: %s %w", l.Addr(), errExposed), l.Close())
	}
	ready(l.Addr().String())
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return a.serve(ctx, l, handler)
}

func (a *Agent) serve(ctx context.Context, l net.Listener, handler http.Handler) (err error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	srv := &http.Server{
		Handler: handler, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	a.Start(ctx)
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	end() // what the agent does by itself, too
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastOrders)
	defer cancel()
	return errors.Join(err, srv.Shutdown(last), a.Close(last))
}

// guard asks for what the settings say: a token, a certificate, or nothing.
func (a *Agent) guard(h http.Handler) (http.Handler, *tls.Config, error) {
	if a.config.Token != "" {
		token, err := secret.Resolve(a.config.Token)
		if err != nil {
			return nil, nil, fmt.Errorf("token: %w", err)
		}
		h = listen.Bearer(token, "unauthorized", h)
	}
	if a.config.TLS.Cert == "" {
		return h, nil, nil
	}
	config, err := listen.TLS(a.config.TLS.Cert, a.config.TLS.Key, a.config.TLS.ClientCA)
	if err != nil {
		return nil, nil, fmt.Errorf("tls: %w", err)
	}
	return h, config, nil
}

// Handler serves the contract of docs/agent.md, to anybody.
func (a *Agent) Handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{a})
	receiving := make(chan struct{}, uploads)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /sluice/v1/units/{unit}", a.on(func(w http.ResponseWriter, _ *http.Request, u *runner) error {
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(w).Encode(a.status(u))
	}))
	mux.HandleFunc("PUT /sluice/v1/units/{unit}", a.on(func(w http.ResponseWriter, r *http.Request, u *runner) error {
		return a.ordered(w, r, true, func(o Order) error { return a.order(r.Context(), u, o) })
	}))
	mux.HandleFunc("POST /sluice/v1/units/{unit}/prepare", a.on(func(w http.ResponseWriter, r *http.Request, u *runner) error {
		return a.ordered(w, r, false, func(o Order) error {
			if o.Release == "" {
				return malformed("expected a release to prepare")
			}
			return a.prepare(r.Context(), u, o.Release)
		})
	}))
	mux.HandleFunc("POST /sluice/v1/units/{unit}/settle", a.on(func(w http.ResponseWriter, r *http.Request, u *runner) error {
		return a.ordered(w, r, true, u.settle)
	}))
	mux.HandleFunc("PUT /sluice/v1/bundles/{release}", a.on(func(w http.ResponseWriter, r *http.Request, _ *runner) error {
		select {
		case receiving <- struct{}{}:
			defer func() { <-receiving }()
		default:
			return errBusy
		}
		return a.upload(w, r)
	}))
	return mux
}

// on answers a request for a unit, or for no unit in particular.
func (a *Agent) on(do func(http.ResponseWriter, *http.Request, *runner) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u := a.units[r.PathValue("unit")]
		id, err := url.PathUnescape(r.Header.Get("Sluice-Target"))
		switch {
		case err != nil || id != "" && id != a.config.ID:
			http.Error(w, "this is "+a.config.ID+" (id in its settings)", http.StatusMisdirectedRequest)
			return
		case u == nil && r.PathValue("unit") != "":
			http.Error(w, "not a unit of this agent", http.StatusNotFound)
			return
		}
		if err := do(w, r, u); err != nil {
			a.log.Warn("request", "method", r.Method, "path", r.URL.Path, "error", why(err))
			if errors.Is(err, errBusy) {
				w.Header().Set("Retry-After", "2")
			}
			http.Error(w, why(err), statusOf(err))
		}
	}
}

// malformed is what no retry mends.
type malformed string

func (m malformed) Error() string { return string(m) }

// statusOf is the status that tells the sender what to do next.
func statusOf(err error) int {
	_, bad := errors.AsType[malformed](err)
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case large:
		return http.StatusRequestEntityTooLarge
	case bad:
		return http.StatusBadRequest
	case noSpace(err):
		return http.StatusInsufficientStorage
	case errors.Is(err, errNotHere):
		return http.StatusFailedDependency
	case errors.Is(err, errNotMine), errors.Is(err, errPulled):
		return http.StatusForbidden
	case errors.Is(err, signature.ErrUnsigned): // of a bundle, not of an order
		return http.StatusPreconditionRequired
	case errors.Is(err, errExpired):
		return http.StatusRequestTimeout
	case errors.Is(err, errFenced), errors.Is(err, errNotSettled):
		return http.StatusConflict
	case errors.Is(err, errRefused), invalid(err):
		return http.StatusUnprocessableEntity
	case errors.Is(err, errBusy), errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// ordered reads an order, and answers 204 once it is carried out.
func (a *Agent) ordered(w http.ResponseWriter, r *http.Request, fence bool, do func(Order) error) error {
	if a.relay != nil {
		return errPulled
	}
	o, err := readOrder(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return err
	}
	if fence {
		if o.Fence, err = strconv.ParseInt(r.Header.Get("Sluice-Fence"), 10, 64); err != nil || o.Fence < 0 {
			return malformed("Sluice-Fence is not a fence, expected a whole number")
		}
		o.Back = r.Header.Get("Sluice-Back") == "true"
	}
	if err := do(o); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readOrder reads the body of an order.
func readOrder(body io.Reader) (Order, error) {
	var o struct {
		Release *string `json:"release"`
		Rollout string  `json:"rollout"`
		Stage   string  `json:"stage"`
	}
	in := json.NewDecoder(body)
	in.DisallowUnknownFields()
	if err := in.Decode(&o); err != nil {
		return Order{}, orTooLarge(err)
	}
	switch _, err := in.Token(); {
	case !errors.Is(err, io.EOF):
		return Order{}, orTooLarge(errors.Join(err, errors.New("there is more than one value")))
	case o.Release == nil:
		return Order{}, malformed(`expected {"release": "sha256:…"}, or "" for none`)
	case *o.Release != "" && !bundle.IsRelease(*o.Release):
		return Order{}, fmt.Errorf("%w: %.100q is not the name of a bundle, expected sha256: and 64 hex digits", errRefused, *o.Release)
	case len(o.Rollout) > 256 || len(o.Stage) > 256:
		return Order{}, malformed("rollout and stage have at most 256 bytes")
	}
	return Order{Release: *o.Release, Rollout: o.Rollout, Stage: o.Stage}, nil
}

func orTooLarge(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	return malformed(`expected {"release": "sha256:…"}: ` + err.Error())
}

// signatures are those of a bundle that come with it.
func signatures(h http.Header) (came [][]byte, err error) {
	for _, text := range h.Values(signature.Header) {
		one, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, malformed(signature.Header + " is not base64")
		}
		came = append(came, one)
	}
	return came, nil
}

// upload keeps a bundle.
func (a *Agent) upload(w http.ResponseWriter, r *http.Request) error {
	release := r.PathValue("release")
	if !bundle.IsRelease(release) {
		return malformed("expected sha256: and 64 hex digits")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != bundle.MediaType {
		return malformed("the Content-Type is not " + bundle.MediaType)
	}
	if r.ContentLength > bundle.MaxPiece {
		return &http.MaxBytesError{Limit: bundle.MaxPiece}
	}
	came, err := signatures(r.Header)
	if err != nil {
		return err
	}
	if err := a.admit(release, came); err != nil {
		return err
	}
	fresh, err := a.disk.receive(release, http.MaxBytesReader(w, r.Body, bundle.MaxPiece))
	if err != nil {
		return err
	}
	if fresh {
		w.WriteHeader(http.StatusCreated)
	}
	return nil
}
