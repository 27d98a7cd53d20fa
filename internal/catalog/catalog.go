// Package catalog lists what a spec can name in this build: its drivers, its sources of health and
// its forms of checks. Each is one file or folder elsewhere, and one line here.
package catalog

import (
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/health/source/prometheus"
	"github.com/sluicehq/sluice/internal/health/source/scrape"
	"github.com/sluicehq/sluice/internal/spec"
)

// Catalog is everything that a spec can name.
type Catalog struct {
	Drivers driver.Registry
	// Sources are where numbers about health come from.
	Sources source.Registry
	// Forms are the forms of checks; the first that a check is of judges it.
	Forms health.Forms
}

// New is the catalog of this build.
func New() Catalog {
	return Catalog{
		Drivers: driver.Registry{
			{Name: "http", New: func() driver.Settings { return new(driver.HTTP) }},
			{Name: "exec", New: func() driver.Settings { return new(driver.Exec) }},
			{Name: "agent", New: func() driver.Settings { return new(driver.Agent) }},
		},
		Sources: source.Registry{
			{Name: "prometheus", New: func() spec.SourceSettings { return new(prometheus.URL) }, Open: prometheus.Open},
			{Name: "scrape", New: func() spec.SourceSettings { return new(scrape.Scrape) }, Open: scrape.Open},
		},
		Forms: health.Forms{
			health.ProbeForm(),
			health.AlertsForm(),
			health.WebhookForm(),
			health.ShiftForm(),
			health.EachForm(),
			health.ComparisonForm(),
			health.MeansForm(),
			health.ValueForm(),
			health.RatioForm(),
			health.ExerciseForm(),
		},
	}
}

// Kinds is the catalog as a spec is read by.
func (c Catalog) Kinds() spec.Kinds {
	var k spec.Kinds
	for _, d := range c.Drivers {
		k.Drivers = append(k.Drivers, spec.Kind[spec.Settings]{Name: d.Name, New: func() spec.Settings { return d.New() }})
	}
	for _, s := range c.Sources {
		k.Sources = append(k.Sources, spec.Kind[spec.SourceSettings]{Name: s.Name, New: s.New})
	}
	for _, f := range c.Forms {
		if f.New != nil {
			k.Forms = append(k.Forms, spec.Kind[spec.FormSettings]{Name: f.Name, New: f.New})
		}
	}
	return k
}

// Health is what judging needs of the catalog.
func (c Catalog) Health() health.Deps { return health.Deps{Sources: c.Sources, Forms: c.Forms} }
