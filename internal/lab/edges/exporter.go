package edges

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/pause"
)

// Export serves what the access log of an edge's nginx counts, until the rig is closed. nginx
// itself counts requests only, not how they ended. A series appears with its first request, as with
// exporters of logs that people run.
func (r *Rig) Export(ctx context.Context, edge fleet.Target) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", edge.Labels[LabelMetrics])
	if err != nil {
		return err
	}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "nginx_http_requests_total", Help: "Requests by status, from the access log.",
	}, []string{"status"})
	took := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "nginx_http_request_duration_seconds", Help: "How long requests took, from the access log.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5},
	})
	registry := prometheus.NewRegistry()
	registry.MustRegister(requests, took)
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{})}
	go func() { _ = server.Serve(l) }() // ends with Close
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_ = follow(ctx, filepath.Join(edge.Labels[LabelSite], "access.log"), func(line string) { // ends with Close
			var seconds float64
			status, rest, _ := strings.Cut(line, " ")
			if _, err := fmt.Sscan(rest, &seconds); err == nil {
				requests.WithLabelValues(status).Inc()
				took.Observe(seconds)
			}
		})
	}()
	r.OnClose(func() { cancel(); _ = server.Close() })
	return nil
}

// follow reads lines of a file that grows, until ctx ends.
func follow(ctx context.Context, path string, line func(string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written
	r, begun := bufio.NewReader(f), ""
	for {
		text, err := r.ReadString('\n')
		switch {
		case errors.Is(err, io.EOF):
			begun += text
			if err := pause.For(ctx, 100*time.Millisecond); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			line(strings.TrimSpace(begun + text))
			begun = ""
		}
	}
}
