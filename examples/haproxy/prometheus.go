package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// startPrometheus starts a Prometheus that scrapes every edge's exporter each second.
func (r *rig) startPrometheus(ctx context.Context, prometheus string) error {
	var exporters []string
	for _, e := range r.edges {
		exporters = append(exporters, fmt.Sprintf("%q", e.Labels["metrics"]))
	}
	config := fmt.Sprintf(`global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: edge
    static_configs:
      - targets: [%s]
`, strings.Join(exporters, ", "))
	p, url, err := r.NewPrometheus(ctx, "prometheus", prometheus, r.Dir, config)
	r.prometheus = url
	if err := r.spawn(p, err); err != nil {
		return err
	}
	return until(ctx, 30*time.Second, "Prometheus to scrape every edge", func(ctx context.Context) error {
		return r.everyEdge(ctx, `up{job="edge"} == 1`)
	})
}

// untilMeasured waits until every edge has had traffic for as long as the checks look back before a stage.
func (r *rig) untilMeasured(ctx context.Context) error {
	return until(ctx, time.Minute, "traffic on every edge in Prometheus", func(ctx context.Context) error {
		return r.everyEdge(ctx, `rate(haproxy_frontend_http_responses_total{proxy="edge",code="2xx"}[5s] offset 20s) > 0`)
	})
}

// everyEdge is an error unless the query answers one series per edge.
func (r *rig) everyEdge(ctx context.Context, query string) error {
	c, err := api.NewClient(api.Config{Address: r.prometheus})
	if err != nil {
		return err
	}
	v, _, _, err := promv1.NewAPI(c).Query(ctx, query, time.Now())
	if err != nil {
		return err
	}
	if series, ok := v.(model.Vector); !ok || len(series) != len(r.edges) {
		return fmt.Errorf("%s answers %d series, expected %d", query, len(series), len(r.edges))
	}
	return nil
}
