package driver

import (
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// locate fills the driver's URL for one target and unit.
func (h httpDriver) locate(t fleet.Target, unit string) (string, error) {
	return tmpl.FillURL(h.url, tmpl.ForTarget(t.ID, t.Address, t.Labels).With(tmpl.Unit, unit))
}
