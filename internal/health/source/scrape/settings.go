package scrape

import (
	"cmp"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// Scrape says how to read metrics pages of the targets.
type Scrape struct {
	// URL is a template over {{id}}, {{address}} and {{label.NAME}}. Default
	// "http://{{address}}/metrics".
	URL string `yaml:"url,omitempty" json:"url,omitempty"`
	// Sample is how many targets of each arm are read, at most. Default 50.
	Sample int `yaml:"sample,omitempty" json:"sample" jsonschema:"minimum=1,maximum=1000"`
	// Baseline is how long the fleet is read before a stage, since a page has no past. Default: two
	// looks, or where checks compare as long as the shortest stage bakes, up to a minute, or a
	// quarter of that bake, up to ten. At most an hour.
	Baseline spec.Duration `yaml:"baseline,omitempty" json:"baseline"`
}

const (
	defaultScrapeURL = "http://{{address}}/metrics"
	// longBaseline is how long a stage waits at most for metrics pages to tell what is usual,
	// unless the spec says so: shortBaseline, or a quarter of a longer bake. An hour is as long as
	// it may say.
	shortBaseline, longBaseline = spec.Duration(time.Minute), spec.Duration(10 * time.Minute)
	mostBaseline                = spec.Duration(time.Hour)
)

// Check checks the address and the bounds.
func (c *Scrape) Check(s spec.Section) {
	if s.Has("url") {
		s.URLTemplate("url", c.URL, spec.ProxyBefore, tmpl.ID, tmpl.Address, tmpl.Label)
		s.PerTarget("url", c.URL)
	}
	s.Between("sample", c.Sample, 1, 1000)
	s.Positive("baseline", c.Baseline)
	s.AtMost("baseline", c.Baseline, mostBaseline)
}

// SetDefaults reads pages twice before a stage, or longer where checks compare.
func (c *Scrape) SetDefaults(s spec.Spec) {
	c.URL, c.Sample = cmp.Or(c.URL, defaultScrapeURL), cmp.Or(c.Sample, 50)
	long := 2 * s.Health.Every
	if slices.ContainsFunc(s.Health.Checks, spec.Check.Budgeted) && len(s.Stages) > 0 {
		shortest := slices.MinFunc(s.Stages, func(a, b spec.Stage) int { return cmp.Compare(a.Bake, b.Bake) }).Bake
		long = max(long, min(shortest, shortBaseline), min(shortest/4, longBaseline))
	}
	c.Baseline = cmp.Or(c.Baseline, long)
}

// Traits say that it reads plain selectors, and has no past.
func (c *Scrape) Traits() spec.SourceTraits {
	return spec.SourceTraits{Language: spec.Selectors{}, Sample: c.Sample, Measure: c.Baseline}
}

// AddressUses is the URL.
func (c *Scrape) AddressUses() []spec.AddressUse {
	return []spec.AddressUse{{Path: "url", Template: cmp.Or(c.URL, defaultScrapeURL)}}
}
