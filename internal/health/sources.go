package health

import (
	"errors"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/health/source/prometheus"
	"github.com/sluicehq/sluice/internal/health/source/scrape"
	"github.com/sluicehq/sluice/internal/spec"
)

// opener readies a source for some targets.
type opener func(h spec.Health, s source.Scope, d source.Deps) (source.Source, error)

// sourceOf is the source that a spec asks for.
func sourceOf(h spec.Health) (opener, error) {
	switch {
	case h.Prometheus != "" && h.Scrape == nil:
		return prometheus.Open, nil
	case h.Scrape != nil && h.Prometheus == "":
		return scrape.Open, nil
	case h.Prometheus == "" && h.Scrape == nil && h.Sourceless():
		return func(h spec.Health, _ source.Scope, _ source.Deps) (source.Source, error) {
			return source.None{Every: h.Every}, nil
		}, nil
	}
	return nil, errors.New("expected exactly one source of health")
}
