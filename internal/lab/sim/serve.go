package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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
	mux.HandleFunc("GET /t/{id}/sluice/v1/units/{unit}", f.agent(f.get))
	mux.HandleFunc("PUT /t/{id}/sluice/v1/units/{unit}", f.agent(f.put))
	mux.HandleFunc("GET /t/{id}/metrics", f.metrics)
	mux.HandleFunc("POST /t/{id}/control", f.control)
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

// agent finds the target, waits as long as it delays, and drops the connection
// where it cannot be reached.
func (f *Fleet) agent(next func(http.ResponseWriter, *http.Request, *place)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, ok := f.byID[r.PathValue("id")]
		if !ok || r.PathValue("unit") != f.conf.Unit {
			http.Error(w, "no such target or unit", http.StatusNotFound)
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

func (f *Fleet) get(w http.ResponseWriter, _ *http.Request, p *place) {
	s := p.state(f.now())
	writeJSON(w, map[string]any{"release": s.Release, "fence": s.Fence, "alive": s.Alive, "detail": s.Detail})
}

func (f *Fleet) put(w http.ResponseWriter, r *http.Request, p *place) {
	if f.conf.Token != "" && r.Header.Get("Authorization") != "Bearer "+f.conf.Token {
		http.Error(w, "no valid token", http.StatusUnauthorized)
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

// order gives an order to a target and keeps it in the journal, both under the
// target's lock, so that the journal has one target's orders in their order.
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

func (f *Fleet) metrics(w http.ResponseWriter, r *http.Request) {
	p, ok := f.byID[r.PathValue("id")]
	if !ok {
		http.Error(w, "no such target", http.StatusNotFound)
		return
	}
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

// control is for a person or a script what the Set methods are for a test.
func (f *Fleet) control(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, ok := f.byID[id]; !ok {
		http.Error(w, "no such target", http.StatusNotFound)
		return
	}
	var body struct {
		Unreachable *bool   `json:"unreachable"`
		Delay       *string `json:"delay"`
		Release     *string `json:"release"`
		// Errors is how many times as many requests fail, for a reason that is not the
		// release's.
		Errors *float64 `json:"errors"`
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
	dec.DisallowUnknownFields()
	err := dec.Decode(&body)
	var delay time.Duration
	if err == nil && body.Delay != nil {
		delay, err = time.ParseDuration(*body.Delay)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if body.Errors != nil {
		f.SetErrors(id, *body.Errors)
	}
	if body.Unreachable != nil {
		f.SetUnreachable(id, *body.Unreachable)
	}
	if body.Delay != nil {
		f.SetDelay(id, delay)
	}
	if body.Release != nil {
		if err := f.SetRelease(id, *body.Release); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
