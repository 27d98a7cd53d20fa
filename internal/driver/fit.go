package driver

import (
	"github.com/sluicehq/sluice/internal/fleet"
)

// Fitting is a driver that can say, without asking anybody, why it could not give a
// target an order: one that lacks a label which an argument asks for.
type Fitting interface {
	Fits(t fleet.Target, o Order) error
}

// Fits says why a driver could not give a target an order; nil when it could, or when
// the driver cannot tell.
func Fits(d Driver, t fleet.Target, o Order) error {
	if f, ok := d.(Fitting); ok {
		return f.Fits(t, o)
	}
	return nil
}

// Fits fills every argument of every program.
func (e execDriver) Fits(t fleet.Target, o Order) error {
	for _, argv := range [][]string{e.observe, e.validate, e.apply} {
		if _, err := fill(argv, t, o); err != nil {
			return err
		}
	}
	return nil
}
