package source

import (
	"fmt"

	"github.com/sluicehq/sluice/internal/spec"
)

// Kind is one source of health. Its name is its key under health in a spec. A new one is a
// package beside prometheus and scrape, and a line in package catalog.
type Kind struct {
	Name string
	// New makes the settings that stand under that key, without any value; nil for a source
	// whose settings are fields of spec.Health.
	New func() spec.SourceSettings
	// Open readies the source for some targets. The spec is valid and complete.
	Open func(h spec.Health, s Scope, d Deps) (Source, error)
}

// Kinds are the sources of a build.
type Kinds []Kind

// Open readies the source that a spec names; None, where its checks ask for none.
func (k Kinds) Open(h spec.Health, s Scope, d Deps) (Source, error) {
	name := h.SourceName()
	if name == "" && h.Sourceless() {
		return None{Every: h.Every}, nil
	}
	for _, kind := range k {
		if kind.Name == name {
			return kind.Open(h, s, d)
		}
	}
	return nil, fmt.Errorf("health: has %q, expected exactly one source that is known here", name)
}
