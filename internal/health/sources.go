package health

import (
	"errors"

	"github.com/sluicehq/sluice/internal/spec"
)

// opener readies a source for some targets.
type opener func(h spec.Health, s Scope, d sourceDeps) (source, error)

// sourceOf is the source that a spec asks for.
func sourceOf(h spec.Health) (opener, error) {
	switch {
	case h.Prometheus != "" && h.Scrape == nil:
		return openPrometheus, nil
	case h.Scrape != nil && h.Prometheus == "":
		return openScrape, nil
	case h.Prometheus == "" && h.Scrape == nil && h.Sourceless():
		return func(h spec.Health, _ Scope, _ sourceDeps) (source, error) { return nothing{h.Every}, nil }, nil
	}
	return nil, errors.New("expected exactly one source of health")
}
