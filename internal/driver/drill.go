package driver

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

// DrillError is a drill's own word that it did not succeed.
type DrillError struct {
	// Command is what was run, Code its exit status, and Said its last line.
	Command string
	Code    int
	Said    string
}

func (e *DrillError) Error() string {
	return fmt.Sprintf("%s: exit status %d: %s", e.Command, e.Code, cmp.Or(e.Said, "no output"))
}

// shownCommand is how much of a drill's command an error shows, in bytes.
const shownCommand = 200

// Drill runs a spec's drill on the worker for a target that runs the order's release. An error says
// why it did not succeed; one that is a DrillError is the program's own word.
func Drill(ctx context.Context, d spec.Drill, t fleet.Target, o Order) error {
	r, err := execDriver{Exec{Timeout: d.Timeout}}.run(ctx, d.Command, t, o, true)
	if err != nil {
		return fmt.Errorf("drill: %w", err)
	}
	if r.Code == 0 {
		return nil
	}
	values := orderValues(t, o)
	var argv []string
	for _, arg := range d.Command {
		filled, _ := fillOne(arg, values) // it has run with these
		argv = append(argv, filled)
	}
	return &DrillError{Command: terminal.OneLine(strings.Join(argv, " "), shownCommand), Code: r.Code, Said: r.LastLine()}
}

// CheckDrill says, without running anything, which argument of a drill cannot be filled for a
// target, and why.
func CheckDrill(d spec.Drill, t fleet.Target, o Order) (argument int, err error) {
	values := orderValues(t, o)
	for i, arg := range d.Command {
		if _, err := fillOne(arg, values); err != nil {
			return i, err
		}
	}
	return 0, nil
}
