package plan

import (
	"strings"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// places refuses targets that are one place, such as a host that an inventory has twice: it would
// be changed by two stages, and be exposed and control at once. So are ids that differ in nothing
// but case, for whoever reads them in a file system, a host name or a chat.
func (c *cutter) places() {
	where := c.spec.Places(c.kinds)
	byPlace, byID := map[string]fleet.Target{}, map[string]fleet.Target{}
	for _, t := range c.fleet.Targets {
		id := strings.ToLower(t.ID)
		if other, taken := byID[id]; taken {
			c.refuse("fleet", "the ids %s and %s differ only in upper and lower case, expected one of them, or other names",
				strictyaml.Quote(other.ID), strictyaml.Quote(t.ID))
		}
		byID[id] = t
		for _, at := range where(t.ID, t.Address, t.Labels) {
			other, taken := byPlace[at]
			where := strings.ReplaceAll(at, "\x00", " ")
			switch {
			case !taken || at == "":
			case other.ID == t.ID:
				c.refuse("parts", "the orders for two of them would go to one place, %s: expected {{unit}} in it", where)
			default:
				c.refuse("fleet", "targets %s (%s) and %s (%s) are one place: the orders for both would go to %s; expected every place once",
					other.ID, other.Address, t.ID, t.Address, where)
			}
			byPlace[at] = t
		}
		if len(c.errs) >= maxPlaces {
			return
		}
	}
}

// maxPlaces is how many such targets are named: most often a whole inventory is wrong.
const maxPlaces = 5
