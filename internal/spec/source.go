package spec

import (
	"cmp"
	"strings"
)

// SourceSettings are the settings of a source of health.
type SourceSettings interface {
	// Check reports what is wrong with the settings as the file has them, before SetDefaults.
	Check(s Section)
	// SetDefaults sets what valid settings leave out. Everything else of the spec is complete.
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
	// Measure is how long targets are read before each stage, where it cannot be asked about the
	// past.
	Measure Duration
	// Parts says that it can be asked about some of the targets alone, as group_by and match do.
	Parts bool
	// Sample is how many targets of each arm it reads at most; 0 is all.
	Sample int
	// Spans says that its increases need two samples in the window, so that a window shorter than
	// staleAfter could not tell that requests are missing.
	Spans bool
	// Example is what can stand under its key; empty is {}.
	Example string
}

// Language checks the queries of a source, and completes them. A problem goes to a field of the
// section.
type Language interface {
	// Query checks one that answers a number.
	Query(s Section, field, expr string)
	// PerTarget checks one that must answer a number for each target, which a label names.
	PerTarget(s Section, field, expr, label string)
	// Counts checks one that must count events, and not say how fast they come.
	Counts(s Section, field, expr string)
	// Ranges are how far back one asks, in words; none where it does not say.
	Ranges(expr string) []string
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
func (k Kinds) SourceNames() []string { return names(k.Sources) }

// sourceExamples is what a spec can say of its source.
func (k Kinds) sourceExamples() string {
	all := make([]string, len(k.Sources))
	for i, s := range k.Sources {
		all[i] = s.Name + ": " + cmp.Or(s.New().Traits().Example, "{}")
	}
	return strings.Join(all, " or ")
}

// Source is the settings of the source of health; nil where there is none, or none that k knows.
func (k Kinds) Source(h Health) SourceSettings {
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

// PrometheusURL describes the base URL of a Prometheus-compatible API.
const PrometheusURL = "the base URL of a Prometheus API, such as http://prometheus:9090"
