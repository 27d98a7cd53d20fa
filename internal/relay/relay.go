// Package relay carries orders to targets that nobody can reach from outside, and their reports
// back. It holds no key and decides nothing: targets believe signatures only. It keeps files in a
// folder, and nothing in memory that a restart could lose. See docs/agent.md.
package relay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/relay/order"
	"github.com/sluicehq/sluice/internal/store"
)

const (
	// MaxWait is how long a request waits for something new: less than proxies wait for an answer.
	MaxWait = 30 * time.Second
	// MaxReport bounds a report, in bytes.
	MaxReport = 64 << 10
	// uploads is how many are received at once.
	uploads = 4
	// turnWithin is how long another one waits for its turn, before it is asked to come again.
	turnWithin = 5 * time.Second
)

// Relay serves orders, reports and bundles.
type Relay struct {
	files     files
	bundles   bundle.Kept
	receiving chan struct{}
	log       *slog.Logger
}

// New is a relay over a folder for orders and reports, and a content store, both made when they are
// first written to.
func New(folder string, bundles store.Store, log *slog.Logger) *Relay {
	return &Relay{files: openFiles(folder), bundles: bundle.Kept{Store: bundles}, receiving: make(chan struct{}, uploads), log: log}
}

// errOlder says that a newer order is there.
var errOlder = errors.New("a newer order of the same key is here")

// wrong is what no retry mends.
type wrong string

func (w wrong) Error() string { return string(w) }

// guard lets a request through, or answers it.
type guard func(http.Handler) http.Handler

// Handler serves anybody.
func (x *Relay) Handler() http.Handler {
	open := func(h http.Handler) http.Handler { return h }
	return x.handler(open, open)
}

// handler serves agents and workers, each behind a guard of their own.
func (x *Relay) handler(agents, workers guard) http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, by guard, do func(http.ResponseWriter, *http.Request) error) {
		mux.Handle(pattern, by(x.on(do)))
	}
	const (
		orders  = " /sluice/v1/orders/{unit}/{cohort}/{id}"
		reports = " /sluice/v1/reports/{unit}/{cohort}/{id}"
		bundles = " /sluice/v1/bundles/{release}"
	)
	route("GET"+orders, agents, func(w http.ResponseWriter, r *http.Request) error { return x.newest(w, r, "orders") })
	route("PUT"+orders, workers, x.putOrder)
	route("GET"+reports, workers, func(w http.ResponseWriter, r *http.Request) error { return x.newest(w, r, "reports") })
	route("PUT"+reports, agents, x.putReport)
	route("GET"+bundles, agents, x.getBundle)
	route("HEAD"+bundles, workers, x.hasBundle)
	route("PUT"+bundles, workers, x.putBundle)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return mux
}

// on words errors.
func (x *Relay) on(do func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := do(w, r)
		if err == nil || r.Context().Err() != nil {
			return
		}
		_, bad := errors.AsType[wrong](err)
		_, large := errors.AsType[*http.MaxBytesError](err)
		status := http.StatusInternalServerError
		switch {
		case large:
			status = http.StatusRequestEntityTooLarge
		case errors.Is(err, errOlder):
			status = http.StatusConflict
		case errors.Is(err, store.ErrNotFound):
			status = http.StatusNotFound
		case bad, errors.Is(err, order.ErrInvalid):
			status = http.StatusBadRequest
		case errors.Is(err, bundle.ErrInvalid):
			status = http.StatusUnprocessableEntity
		}
		if status >= http.StatusInternalServerError {
			x.log.Error("request", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, err.Error(), status)
	})
}

// place is whose order or report is asked for.
type place struct{ unit, cohort, id string }

func placeOf(r *http.Request) (place, error) {
	p := place{r.PathValue("unit"), r.PathValue("cohort"), r.PathValue("id")}
	if !order.IsName(p.unit) || !order.IsName(p.cohort) || !order.IsID(p.id) {
		return p, wrong("expected …/UNIT/COHORT/ID: " +
			"letters, digits, '.', '_' and '-', in an id also ':' and '@', beginning with a letter or a digit")
	}
	return p, nil
}

// newest answers an order or a report as soon as it is another one than the sender has, which
// stands in the query, since caches keep If-None-Match for themselves, and in that header.
func (x *Relay) newest(w http.ResponseWriter, r *http.Request, what string) error {
	p, err := placeOf(r)
	if err != nil {
		return err
	}
	wait, err := waitOf(r)
	if err != nil {
		return err
	}
	have, same := r.URL.Query().Get("have"), http.StatusNoContent
	if given := r.Header.Get("If-None-Match"); given != "" {
		if unquoted, err := strconv.Unquote(given); err == nil && (have == "" || have == unquoted) {
			have, same = unquoted, http.StatusNotModified
		}
	}
	data, age, err := x.files.wait(r.Context(), what, p, have, wait)
	switch {
	case err != nil:
		return err
	case data == nil || order.Tag(data) == have:
		w.WriteHeader(same)
		return nil
	}
	w.Header().Set("ETag", strconv.Quote(order.Tag(data)))
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if what == "reports" {
		w.Header().Set(order.AgeHeader, strconv.Itoa(int(max(0, age).Seconds())))
		w.Header().Set("Content-Type", "application/json")
	}
	_, err = w.Write(data)
	return err
}

// waitOf is for how long the sender waits, in whole seconds.
func waitOf(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || time.Duration(n)*time.Second > MaxWait {
		return 0, wrong(fmt.Sprintf("wait is %.20q, expected 0 to %d seconds", text, int(MaxWait.Seconds())))
	}
	return time.Duration(n) * time.Second, nil
}

// putOrder keeps a document in the place of another one, unless that is newer and by the same key.
// What only prepares is no newer order, as at the agent.
func (x *Relay) putOrder(w http.ResponseWriter, r *http.Request) error {
	p, err := placeOf(r)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, order.MaxSize))
	if err != nil {
		return err
	}
	d, err := order.Read(data)
	switch {
	case err != nil:
		return err
	case d.Unit != p.unit || d.Cohort != p.cohort || !slices.Contains(d.Selector, p.id):
		return wrong("the order is for another unit, cohort or target than the path names")
	}
	err = x.files.replace("orders", p, data, func(is []byte) error {
		if old, err := order.Read(is); err == nil && old.Step != order.Prepare && old.KeyID == d.KeyID && old.Fence > d.Fence {
			return fmt.Errorf("%w, with the fence %d", errOlder, old.Fence)
		}
		return nil
	})
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// putReport keeps what a target says of itself.
func (x *Relay) putReport(w http.ResponseWriter, r *http.Request) error {
	p, err := placeOf(r)
	if err != nil {
		return err
	}
	if !certified(r, p.id) {
		http.Error(w, "the certificate is of another than "+p.id, http.StatusForbidden)
		return nil
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxReport))
	if err != nil {
		return err
	}
	var who struct {
		ID   string `json:"id"`
		Unit string `json:"unit"`
	}
	if err := json.Unmarshal(data, &who); err != nil || who.ID != p.id || who.Unit != p.unit {
		return wrong("the report is none, or of another target or unit than the path names")
	}
	if err := x.files.report(p, data); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
