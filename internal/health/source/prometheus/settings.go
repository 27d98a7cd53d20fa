package prometheus

import "github.com/sluicehq/sluice/internal/spec"

// URL is the base URL of a Prometheus-compatible API, as the worker reaches it.
type URL string

// Check checks the URL.
func (p *URL) Check(s spec.Section) { s.BaseURL("", string(*p), spec.PrometheusURL) }

// SetDefaults has nothing to set.
func (p *URL) SetDefaults(spec.Spec) {}

// Traits say that it answers PromQL about any time.
func (p *URL) Traits() spec.SourceTraits {
	return spec.SourceTraits{Language: spec.PromQL{}, Past: true, Parts: true, Spans: true, Example: "http://host:9090"}
}
