package edges

import (
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/pause"
)

// FailsEvery is which answers of the service behind the edges are failures at first: real services
// always fail a little, and a judge must not hold that against a release. It has no factor in
// common with the number of requests in vegeta's list, so that every edge and every route gets its
// turn.
const FailsEvery = 97

// Answers to a request with the header X-No-Cache take this long.
const uncached = 300 * time.Millisecond

// Backend is the service behind the edges, in this process. A request with the header X-No-Cache
// takes 300 ms.
type Backend struct {
	Address string
	// FailsEvery says which answers are failures: every so manieth.
	FailsEvery atomic.Int64
}

func (r *Rig) startBackend() error {
	l, err := net.Listen("tcp", stack.Loopback(0))
	if err != nil {
		return err
	}
	b := &Backend{Address: l.Addr().String()}
	r.Backend = b
	var n atomic.Int64
	b.FailsEvery.Store(FailsEvery)
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if q.Header.Get("X-No-Cache") != "" && pause.For(q.Context(), uncached) != nil {
				return
			}
			if n.Add(1)%b.FailsEvery.Load() == 0 {
				http.Error(w, "no luck", http.StatusInternalServerError)
				return
			}
			fmt.Fprintf(w, "hello from %s\n", q.URL.Path)
		}),
	}
	go func() { _ = server.Serve(l) }() // ends with Close
	r.OnClose(func() { _ = server.Close() })
	return nil
}
