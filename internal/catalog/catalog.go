// Package catalog lists what a spec can name in this build: its drivers, its sources of
// health and its forms of checks. Each is one file or folder elsewhere, and one line here.
package catalog

import (
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/spec"
)

// Catalog is everything that a spec can name.
type Catalog struct {
	Drivers driver.Kinds
}

// New is the catalog of this build.
func New() Catalog {
	return Catalog{
		Drivers: driver.Kinds{
			{Name: "http", New: func() driver.Settings { return new(driver.HTTP) }},
			{Name: "exec", New: func() driver.Settings { return new(driver.Exec) }},
		},
	}
}

// Kinds is the catalog as a spec is read by.
func (c Catalog) Kinds() spec.Kinds {
	return spec.Kinds{
		Drivers: spec.As(c.Drivers, func(s driver.Settings) spec.DriverSettings { return s }),
	}
}
