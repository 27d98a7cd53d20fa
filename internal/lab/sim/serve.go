package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/internal/pause"
)

const textFormat = "text/plain; version=0.0.4; charset=utf-8"

// maxOrder bounds the body of a request.
const maxOrder = 64 << 10

func (f *Fleet) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", f.index)
	mux.HandleFunc("GET /metrics", f.allMetrics)
	mux.HandleFunc("GET /log", f.log)
	mux.HandleFunc("GET /state", f.allStates)
	mux.HandleFunc("GET /t/{id}/sluice/v1/units/{unit}", f.target(f.agent(f.get)))
	mux.HandleFunc("PUT /t/{id}/sluice/v1/units/{unit}", f.target(f.agent(f.put)))
	mux.HandleFunc("GET /t/{id}/metrics", f.target(f.metrics))
	mux.HandleFunc("POST /t/{id}/control", f.target(f.control))
	return mux
}

func (f *Fleet) index(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "%d simulated targets of the unit %s\n\n"+
		"/metrics               all targets, told apart by the label \"target\"\n"+
		"/state                 what every target runs and has served\n"+
		"/log                   every order, one JSON object per line\n"+
		"/t/ID/sluice/v1/units/%s   one target: GET its state, PUT a release\n"+
		"/t/ID/metrics          one target's metrics\n"+
		"/t/ID/control          POST {\"unreachable\": true, \"delay\": \"2s\", \"release\": \"drifted\", \"errors\": 5}\n",
		len(f.places), f.conf.Unit, f.conf.Unit)
}

// targetHandler serves a request to one target.
type targetHandler func(http.ResponseWriter, *http.Request, *place)

// target finds the target.
func (f *Fleet) target(next targetHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, ok := f.byID[r.PathValue("id")]
		if !ok {
			http.Error(w, "no such target", http.StatusNotFound)
			return
		}
		next(w, r, p)
	}
}

// agent waits as long as the target delays, and drops the connection where it cannot be reached.
func (f *Fleet) agent(next targetHandler) targetHandler {
	return func(w http.ResponseWriter, r *http.Request, p *place) {
		if !f.conf.AnyUnit && r.PathValue("unit") != f.conf.Unit {
			http.Error(w, "no such unit", http.StatusNotFound)
			return
		}
		delay, ok := p.reach(f.now())
		if !ok {
			panic(http.ErrAbortHandler)
		}
		if pause.For(r.Context(), delay) == nil {
			next(w, r, p)
		}
	}
}

func (f *Fleet) get(w http.ResponseWriter, r *http.Request, p *place) {
	s := p.state(f.now())
	writeJSON(w, map[string]any{
		"release": s.Release, "fence": s.Fence, "alive": s.Alive, "detail": s.Detail,
		"id": s.ID, "unit": r.PathValue("unit"),
	})
}

func (f *Fleet) put(w http.ResponseWriter, r *http.Request, p *place) {
	if f.conf.Token != "" && r.Header.Get("Authorization") != "Bearer "+f.conf.Token {
		http.Error(w, "no valid token", http.StatusUnauthorized)
		return
	}
	if meant, err := url.PathUnescape(r.Header.Get("Sluice-Target")); err != nil || meant != "" && meant != p.id {
		http.Error(w, "this is "+p.id, http.StatusMisdirectedRequest)
		return
	}
	fence, err := strconv.ParseInt(r.Header.Get("Sluice-Fence"), 10, 64)
	if err != nil || fence < 0 {
		http.Error(w, "the header Sluice-Fence is missing or not a number", http.StatusBadRequest)
		return
	}
	var body struct {
		Release *string `json:"release"`
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOrder))
	if err != nil || json.Unmarshal(data, &body) != nil || body.Release == nil {
		http.Error(w, `expected a body such as {"release": "2.4.1"}`, http.StatusBadRequest)
		return
	}
	if pause.For(r.Context(), parseFaults(*body.Release).on(p.index, *body.Release).slow) != nil {
		return
	}
	status, reason := f.order(p, *body.Release, fence)
	if reason != "" {
		http.Error(w, reason, status)
		return
	}
	w.WriteHeader(status)
}

// order gives an order to a target and keeps it in the journal, both under the target's lock, so
// that the journal has one target's orders in their order.
func (f *Fleet) order(p *place, release string, fence int64) (status int, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := f.now()
	status, reason = p.order(release, fence, at)
	err := f.journal.add(Entry{
		Time: at, Target: p.id, Release: release, Fence: fence, Accepted: status == http.StatusOK, Status: status, Reason: reason,
	})
	if err != nil {
		return http.StatusInternalServerError, err.Error()
	}
	return status, reason
}

func (f *Fleet) metrics(w http.ResponseWriter, _ *http.Request, p *place) {
	one, ok := p.page(f.now())
	if !ok {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", textFormat)
	_ = writeMetrics(w, f.conf.Unit, []page{one}, false)
}

func (f *Fleet) allMetrics(w http.ResponseWriter, _ *http.Request) {
	now := f.now()
	pages := make([]page, 0, len(f.places))
	for _, p := range f.places {
		if one, ok := p.page(now); ok {
			one.flood = 0
			pages = append(pages, one)
		}
	}
	w.Header().Set("Content-Type", textFormat)
	_ = writeMetrics(w, f.conf.Unit, pages, true)
}

func (f *Fleet) log(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	for _, e := range f.Log() {
		if enc.Encode(e) != nil {
			return
		}
	}
}

func (f *Fleet) allStates(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{"unit": f.conf.Unit, "start": f.start, "now": f.now(), "targets": f.State()})
}

// control is what a target does from now on that no order asked for.
type control struct {
	// Unreachable closes its connections without an answer; its traffic goes on.
	Unreachable *bool `json:"unreachable"`
	// Delay makes its agent answer late.
	Delay *string `json:"delay"`
	// Release is changed behind everybody's back, as a person at its keyboard would; the fence
	// stays.
	Release *string `json:"release"`
	// Errors is how many times as many requests fail, for a reason that is not its release's, such
	// as a backend that all share.
	Errors *float64 `json:"errors"`
}

func (f *Fleet) control(w http.ResponseWriter, r *http.Request, p *place) {
	var c control
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
	dec.DisallowUnknownFields()
	err := dec.Decode(&c)
	var delay time.Duration
	if err == nil && c.Delay != nil {
		delay, err = time.ParseDuration(*c.Delay)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := f.apply(p, c, delay); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (f *Fleet) apply(p *place, c control, delay time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := f.now()
	if c.Errors != nil {
		p.serve(at)
		p.trouble = max(0, *c.Errors)
	}
	if c.Unreachable != nil {
		p.unreachable = *c.Unreachable
	}
	if c.Delay != nil {
		p.delay = delay
	}
	if c.Release == nil {
		return nil
	}
	err := f.journal.add(Entry{Time: at, Target: p.id, Release: *c.Release, Fence: p.fence, Accepted: true, Drift: true})
	if err == nil {
		p.drift(*c.Release, at)
	}
	return err
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
