package spec

// prometheusSource is the base URL of a Prometheus-compatible API.
type prometheusSource string

// prometheusURL describes it.
const prometheusURL = "the base URL of a Prometheus API, such as http://prometheus:9090"

// Check checks the URL.
func (p *prometheusSource) Check(s Section) { s.BaseURL("", string(*p), prometheusURL) }

// SetDefaults has nothing to set.
func (p *prometheusSource) SetDefaults(Spec) {}

// Traits: PromQL about any time.
func (p *prometheusSource) Traits() SourceTraits {
	return SourceTraits{Language: PromQL{}, Past: true, Parts: true, Spans: true}
}
