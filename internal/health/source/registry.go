package source

import (
	"fmt"

	"github.com/sluicehq/sluice/internal/spec"
)

// Kind is one source of health. Its name is its key under health in a spec. A new one is a package
// beside prometheus and scrape, and a line in package catalog.
type Kind struct {
	Name string
	// New makes the settings that stand under that key, without any value.
	New func() spec.SourceSettings
	// Open readies the source for some targets. The spec is valid and complete.
	Open func(h spec.Health, s Scope, d Deps) (Source, error)
}

// Registry is the sources of a build.
type Registry []Kind

// Open readies the source that a spec names; None, where its checks ask for none.
func (k Registry) Open(h spec.Health, s Scope, d Deps) (Source, error) {
	name := h.Source.Name
	if name == "" && h.Sourceless() {
		return None{Every: h.Every}, nil
	}
	client := h.Client(d.Transport)
	d.Transport, d.Redact = client.Transport, client.Redact
	for _, kind := range k {
		if kind.Name == name {
			return kind.Open(h, s, d)
		}
	}
	return nil, fmt.Errorf("health: has %q, expected exactly one source that is known here", name)
}

// Language is what the source that a spec names is asked in; plain selectors, where that is not
// known.
func (k Registry) Language(h spec.Health) spec.Language {
	for _, kind := range k {
		if kind.Name == h.Source.Name && kind.New != nil {
			return kind.New().Traits().Language
		}
	}
	return spec.Selectors{}
}
