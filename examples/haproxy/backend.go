package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// failsEvery is how many requests the service behind the edges answers well
// between two that fail: real services always fail a little, and a judge must
// not hold that against a release.
const failsEvery = 100

// startBackend starts the service behind the edges, in this process.
func (r *rig) startBackend() (address string, err error) {
	l, err := net.Listen("tcp", loopback(0))
	if err != nil {
		return "", err
	}
	var n atomic.Int64
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if n.Add(1)%failsEvery == 0 {
				http.Error(w, "no luck", http.StatusInternalServerError)
				return
			}
			fmt.Fprintf(w, "hello from %s\n", q.URL.Path)
		}),
	}
	go func() { _ = server.Serve(l) }() // ends with Close
	r.onClose(func() { _ = server.Shutdown(context.Background()) })
	return l.Addr().String(), nil
}
