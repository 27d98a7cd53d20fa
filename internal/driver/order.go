package driver

import (
	"github.com/sluicehq/sluice/internal/fleet"
)

// OrderChecker is a driver that can say, without asking anybody, why it could not give an
// order to a target: the target has no label "region", which an argument asks for.
type OrderChecker interface {
	CheckOrder(t fleet.Target, o Order) error
}

// CheckOrder says why a driver could not give an order to a target; nil when it could, or
// when the driver cannot tell.
func CheckOrder(d Driver, t fleet.Target, o Order) error {
	if c, ok := d.(OrderChecker); ok {
		return c.CheckOrder(t, o)
	}
	return nil
}
