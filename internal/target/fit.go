package target

import (
	"fmt"

	"github.com/sluicehq/sluice/internal/fleet"
)

// Fitting is a driver that can say, without asking anybody, why it could not speak
// to a target: one that lacks a label which a template asks for. Every driver of this
// package is one.
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

// Fits fills the URL.
func (h httpDriver) Fits(t fleet.Target, o Order) error {
	if _, err := h.locate(t, o.Unit); err != nil {
		return fmt.Errorf("driver.http.url: %w", err)
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
