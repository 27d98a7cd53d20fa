package health

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/health/source"
)

// ownOf is the trouble of the worker itself in what it was not answered; empty where there is none.
// A resolver that finds some targets is not what is wrong with the others.
func ownOf(found []failure, asked int) string {
	for _, f := range found {
		if f.whose == dial.Own || f.whose == dial.Resolver && len(found) == asked {
			return f.why
		}
	}
	return ""
}

// unasked is the verdict where a worker could not ask: nobody knows how the targets are.
func unasked(res Result, own string) Judged {
	res.Verdict, res.Unsure = NoData, own
	res.Sentence += "; that is the trouble of this worker, which cannot ask"
	return Judged{Result: res}
}

// heard notes what of a look's requests were answered.
type heard struct {
	mu       sync.Mutex
	answered int    // by the source
	lost     string // the first error of the source
	own      string // the first error that is the worker's own
}

// via carries requests, and notes what comes of them.
func (h *heard) via(next http.RoundTripper, source bool) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return noting{h, next, source}
}

type noting struct {
	*heard
	next   http.RoundTripper
	source bool
}

// Inner and Around let settings of TLS reach what carries the requests.
func (n noting) Inner() http.RoundTripper { return n.next }

// Around notes what comes of the requests through another transport.
func (n noting) Around(inner http.RoundTripper) http.RoundTripper {
	return noting{n.heard, inner, n.source}
}

// RoundTrip sends a request and notes whether there is an answer.
func (n noting) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := n.next.RoundTrip(r)
	if errors.Is(r.Context().Err(), context.Canceled) {
		return res, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err == nil && n.source:
		n.answered++
	case err != nil && dial.Blame(err) == dial.Own && n.own == "":
		n.own = source.Cut(err.Error(), 200)
	case err != nil && n.source && n.lost == "":
		n.lost = source.Cut(err.Error(), 200)
	}
	return res, err
}

// begin forgets what was heard.
func (h *heard) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answered, h.lost, h.own = 0, "", ""
}

// unsure says why what was read may be the trouble of this worker: some of it certainly is, or the
// source has not answered at all.
func (h *heard) unsure() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.own == "" && h.answered == 0 {
		return h.lost
	}
	return h.own
}

// Unsure says why what was read since the last look began may be the trouble of this worker; empty
// if nothing hints at that.
func (m *Evaluator) Unsure() string { return m.heard.unsure() }
