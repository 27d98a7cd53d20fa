package main

import (
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/internal/lab/stack"
)

// failsEvery is which answers of the service behind the edges are failures at first: real services always fail a little, and a
// judge must not hold that against a release. It has no factor in common with the number of requests in vegeta's list, so that
// every edge and every route gets its turn.
const failsEvery = 97

// startBackend starts the service behind the edges, in this process.
func (r *rig) startBackend() (address string, err error) {
	l, err := net.Listen("tcp", stack.Loopback(0))
	if err != nil {
		return "", err
	}
	var n atomic.Int64
	r.failsEvery.Store(failsEvery)
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if n.Add(1)%r.failsEvery.Load() == 0 {
				http.Error(w, "no luck", http.StatusInternalServerError)
				return
			}
			fmt.Fprintf(w, "hello from %s\n", q.URL.Path)
		}),
	}
	go func() { _ = server.Serve(l) }() // ends with Close
	r.onClose(func() { _ = server.Close() })
	return l.Addr().String(), nil
}
