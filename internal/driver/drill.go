package driver

import (
	"context"
	"fmt"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// Drill runs a spec's drill on the worker for a target that runs the order's release. An error says why it did
// not succeed; one that is ErrRefused is the program's own word.
func Drill(ctx context.Context, d spec.Drill, t fleet.Target, o Order) error {
	r, err := execDriver{Exec{Timeout: d.Timeout}}.run(ctx, d.Command, t, o, true)
	if err != nil {
		return fmt.Errorf("drill: %w", err)
	}
	if r.Code != 0 {
		return refused(fmt.Errorf("drill: %w", r.Failure()))
	}
	return nil
}

// CheckDrill says, without running anything, which argument of a drill cannot be filled for a target, and why.
func CheckDrill(d spec.Drill, t fleet.Target, o Order) (argument int, err error) {
	values := orderValues(t, o)
	for i, arg := range d.Command {
		if _, err := fillOne(arg, values); err != nil {
			return i, err
		}
	}
	return 0, nil
}
