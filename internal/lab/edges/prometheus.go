package edges

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// Measure starts Prometheus and the traffic on the edges, says that they and the edges, in words,
// are up, and waits until every edge has had traffic for as long as the checks look back before a
// stage: counter selects answers of an edge, one series for each.
func (r *Rig) Measure(ctx context.Context, p Programs, words, counter string, back time.Duration) error {
	if err := r.startPrometheus(ctx, p.Prometheus); err != nil {
		return err
	}
	if err := r.startTraffic(p.Vegeta); err != nil {
		return err
	}
	fmt.Fprintf(r.Out, "Temporal (Web UI %s), a worker, Prometheus (%s), %d %s, and vegeta with %d requests a second are up.\n",
		r.UI, r.Prometheus, len(r.Targets), words, requestsPerSecond)
	return Until(ctx, time.Minute, "traffic on every edge in Prometheus", func(ctx context.Context) error {
		return r.everyEdge(ctx, fmt.Sprintf("rate(%s[5s] offset %ds) > 0", counter, int(back.Seconds())))
	})
}

// startPrometheus starts a Prometheus that scrapes every edge's exporter each second.
func (r *Rig) startPrometheus(ctx context.Context, prometheus string) error {
	var exporters []string
	for _, t := range r.Targets {
		exporters = append(exporters, fmt.Sprintf("%q", t.Labels[LabelMetrics]))
	}
	config := fmt.Sprintf(`global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: edge
    static_configs:
      - targets: [%s]
`, strings.Join(exporters, ", "))
	p, url, err := r.NewPrometheus(ctx, "prometheus", prometheus, r.Dir, config)
	r.Prometheus = url
	if err := r.Spawn(p, err); err != nil {
		return err
	}
	return Until(ctx, 30*time.Second, "Prometheus to scrape every edge", func(ctx context.Context) error {
		return r.everyEdge(ctx, `up{job="edge"} == 1`)
	})
}

// everyEdge is an error unless the query answers one series per edge.
func (r *Rig) everyEdge(ctx context.Context, query string) error {
	c, err := api.NewClient(api.Config{Address: r.Prometheus})
	if err != nil {
		return err
	}
	v, _, _, err := promv1.NewAPI(c).Query(ctx, query, time.Now())
	if err != nil {
		return err
	}
	if series, ok := v.(model.Vector); !ok || len(series) != len(r.Targets) {
		return fmt.Errorf("%s answers %d series, expected %d", query, len(series), len(r.Targets))
	}
	return nil
}
