package spec

import "strings"

// SourceSettings are the settings of a source of health.
type SourceSettings interface {
	// Check reports what is wrong with the settings as the file has them, before
	// SetDefaults.
	Check(s Section)
	// SetDefaults sets what valid settings leave out. Everything else of the spec is
	// complete.
	SetDefaults(s Spec)
	// Traits are what a spec and its plan must know of the source.
	Traits() SourceTraits
}

// SourceTraits are what a spec and its plan must know of a source.
type SourceTraits struct {
	// Language is what its queries are written in.
	Language Language
	// Past says that it can be asked about any time before the rollout.
	Past bool
	// Parts says that it can be asked about some of the targets alone, as group_by and
	// match do.
	Parts bool
	// Sample is how many targets of each arm it reads at most; 0 is all.
	Sample int
	// Spans says that its increases need two samples in the window, so that a window
	// shorter than staleAfter could not tell that requests are missing.
	Spans bool
}

// Language checks the queries of a source, and completes them. A problem goes to a field
// of the section.
type Language interface {
	// Query checks one that answers a number.
	Query(s Section, field, expr string)
	// PerTarget checks one that must answer a number for each target, which a label
	// names.
	PerTarget(s Section, field, expr, label string)
	// InLooks checks one that must answer what is new in a look.
	InLooks(s Section, field, expr string)
	// Histogram checks the name of a histogram.
	Histogram(s Section, field, text string)
	// CompleteHistogram adds what a valid name of a histogram leaves out.
	CompleteHistogram(text string) string
	// Whole asks about all targets of an arm together what expr asks about each.
	Whole(expr string) string
}

// SourceNames are the keys of all sources.
func (k Kinds) SourceNames() []string {
	return append([]string{"prometheus", "scrape"}, names(k.Sources)...)
}

// sourceExamples is what a spec can say of its source.
func (k Kinds) sourceExamples() string {
	all := []string{"prometheus: http://host:9090", "scrape: {}"}
	for _, name := range names(k.Sources) {
		all = append(all, name+": {}")
	}
	return strings.Join(all, " or ")
}

// Source is the settings of the source of health; nil where there is none, or none that k
// knows.
func (k Kinds) Source(h Health) SourceSettings {
	if h.Prometheus != "" {
		return (*prometheusSource)(&h.Prometheus)
	}
	if h.Scrape != nil {
		return h.Scrape
	}
	if s, err := decode(k.Sources, h.Source); err == nil {
		return s
	}
	return nil
}

// Past says whether the source of health can be asked about any time before the rollout.
func (k Kinds) Past(h Health) bool {
	source := k.Source(h)
	return source != nil && source.Traits().Past
}

// SourceName is the key of the source of health; empty where there is none. A spec that is
// not valid may have several, with "and" between them.
func (h Health) SourceName() string {
	var names []string
	if h.Prometheus != "" {
		names = append(names, "prometheus")
	}
	if h.Scrape != nil {
		names = append(names, "scrape")
	}
	if h.Source.Name != "" {
		names = append(names, h.Source.Name)
	}
	return strings.Join(names, " and ")
}

// prometheusSource is the base URL of a Prometheus-compatible API.
type prometheusSource string

// prometheusURL describes it.
const prometheusURL = "the base URL of a Prometheus API, such as http://prometheus:9090"

// Check checks the URL.
func (p *prometheusSource) Check(s Section) { s.BaseURL("", string(*p), prometheusURL) }

// SetDefaults has nothing to set.
func (p *prometheusSource) SetDefaults(Spec) {}

// Traits say that it answers PromQL about any time.
func (p *prometheusSource) Traits() SourceTraits {
	return SourceTraits{Language: PromQL{}, Past: true, Parts: true, Spans: true}
}
