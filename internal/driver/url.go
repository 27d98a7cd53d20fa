package driver

import (
	"net/url"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// locate fills the driver's URL for one target and unit.
func (h httpDriver) locate(t fleet.Target, unit string) (*url.URL, error) {
	return tmpl.URL(h.url, tmpl.ForTarget(t.ID, t.Address, t.Labels).With(tmpl.Unit, unit))
}
