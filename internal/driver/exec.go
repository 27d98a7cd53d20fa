package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/program"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
	"github.com/sluicehq/sluice/internal/tmpl"
)

const defaultExecTimeout = 30 * time.Second

// Exit statuses by which a program of the exec driver says more than "it did not
// work". Any other but 0, a death by signal and a timeout may be tried again.
const (
	// ExitRefused: the order will never be accepted (EX_DATAERR of sysexits.h).
	ExitRefused = program.ExitRefused
	// ExitFenced: a newer fence has been here. The first status that sysexits.h
	// leaves free.
	ExitFenced = 79
)

// execDriver runs a program per target on the worker. docs/drivers.md spells out
// the contract.
type execDriver struct {
	observe, apply, validate []string
	timeout                  time.Duration
}

func newExec(d spec.Driver, _ http.RoundTripper) (Driver, error) {
	if d.Exec == nil {
		return nil, nil
	}
	e := execDriver{
		observe: d.Exec.Observe, apply: d.Exec.Apply, validate: d.Exec.Validate,
		timeout: cmp.Or(d.Exec.Timeout.Std(), defaultExecTimeout),
	}
	order := []string{tmpl.ID, tmpl.Address, tmpl.Unit, tmpl.Label, tmpl.Release, tmpl.Fence}
	for _, argv := range []struct {
		field   string
		argv    []string
		allowed []string
		needed  bool
	}{
		{"observe", e.observe, order[:4], true},
		{"apply", e.apply, order, true},
		{"validate", e.validate, order, false},
	} {
		if err := checkArgv(argv.argv, argv.allowed, argv.needed); err != nil {
			return nil, fieldError(argv.field, err)
		}
	}
	return e, nil
}

func checkArgv(argv, allowed []string, needed bool) error {
	if len(argv) == 0 {
		if needed {
			return fmt.Errorf("%w, expected a list such as [./switch.sh, \"{{id}}\"]", errRequired)
		}
		return nil
	}
	if argv[0] == "" || strings.Contains(argv[0], "{{") {
		return errors.New("the program itself must be fixed, expected placeholders only in its arguments")
	}
	for _, arg := range argv {
		if err := tmpl.Check(arg, allowed...); err != nil {
			return err
		}
		if strings.ContainsRune(arg, 0) {
			return errors.New("an argument holds a NUL byte")
		}
	}
	return nil
}

// Observe runs the observe program and reads what it prints.
func (e execDriver) Observe(ctx context.Context, t fleet.Target, unit string) (State, error) {
	r, err := e.run(ctx, e.observe, t, Order{Unit: unit}, false)
	if err != nil {
		return State{}, fmt.Errorf("observe: %w", err)
	}
	if r.Code != 0 {
		return State{}, fmt.Errorf("observe: %w", r.Failure())
	}
	s, err := parseOutput(r.Stdout, r.Cut)
	if err != nil {
		return State{}, fmt.Errorf("observe: %s: %w", e.observe[0], err)
	}
	return s, nil
}

// Validate runs the validate program; any exit status but 0 means no. A removal
// needs no validation, and neither does what is put back.
func (e execDriver) Validate(ctx context.Context, t fleet.Target, o Order) error {
	if err := checkOrder(o); err != nil {
		return err
	}
	if len(e.validate) == 0 || o.Release == "" || o.Back {
		return nil
	}
	r, err := e.run(ctx, e.validate, t, o, true)
	if err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	if r.Code != 0 {
		return refused(fmt.Errorf("validate: %w", r.Failure()))
	}
	return nil
}

// Apply runs the validate program, where there is one, and then the apply
// program.
func (e execDriver) Apply(ctx context.Context, t fleet.Target, o Order) error {
	if err := e.Validate(ctx, t, o); err != nil {
		return err
	}
	r, err := e.run(ctx, e.apply, t, o, true)
	if err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	switch r.Code {
	case 0:
		return nil
	case ExitRefused:
		return refused(fmt.Errorf("apply: %w", r.Failure()))
	case ExitFenced:
		return fmt.Errorf("%w: apply: %w", ErrFenced, r.Failure())
	default:
		return fmt.Errorf("apply: %w", r.Failure())
	}
}

// run fills argv and the environment and runs the program. An error means that it
// gave no exit status.
func (e execDriver) run(ctx context.Context, argv []string, t fleet.Target, o Order, ordered bool) (program.Result, error) {
	env := map[string]string{"SLUICE_TARGET": t.ID, "SLUICE_UNIT": o.Unit}
	if ordered {
		env["SLUICE_RELEASE"], env["SLUICE_FENCE"] = o.Release, strconv.FormatInt(o.Fence, 10)
	}
	for name, value := range env {
		if err := checkArgument(value); err != nil && name != "SLUICE_FENCE" {
			return program.Result{}, refused(fmt.Errorf("%s: %w", name, err))
		}
	}
	filled, err := fill(argv, t, o)
	if err != nil {
		return program.Result{}, refused(err)
	}
	call := program.Call{Argv: filled, Env: env, Timeout: e.timeout}
	if !ordered {
		call.Answer = maxAnswer
	}
	return program.Run(ctx, call)
}

// fill puts an order for a target into the arguments of a program. Which of them may
// ask for a release and a fence was checked when the driver was made.
func fill(argv []string, t fleet.Target, o Order) ([]string, error) {
	values := tmpl.ForTarget(t.ID, t.Address, t.Labels).With(tmpl.Unit, o.Unit).
		With(tmpl.Release, o.Release).With(tmpl.Fence, strconv.FormatInt(o.Fence, 10))
	filled := slices.Clone(argv)
	for i, arg := range argv {
		var err error
		filled[i], err = tmpl.FillEscaped(arg, values, func(_, value, _ string) (string, error) {
			return value, checkArgument(value)
		})
		if err != nil {
			return nil, fmt.Errorf("%s: argument %d: %w", argv[0], i, err)
		}
	}
	return filled, nil
}

// parseOutput reads what an observe program prints: the release on the first
// line, then optional lines fence=N, alive=true or false, detail=text.
func parseOutput(stdout string, cut bool) (State, error) {
	if cut {
		return State{}, fmt.Errorf("printed more than %d bytes", maxAnswer)
	}
	if stdout == "" {
		return State{}, errors.New("printed nothing, expected the release on the first line, or an empty line where nothing is installed")
	}
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	s := State{Release: strings.TrimSpace(lines[0]), Alive: true}
	if err := checkRelease(s.Release); err != nil {
		return State{}, fmt.Errorf("the first line: %w", err)
	}
	for i, line := range lines[1:] {
		if err := s.set(strings.TrimSpace(line)); err != nil {
			return State{}, fmt.Errorf("line %d: %w", i+2, err)
		}
	}
	return s, nil
}

func (s *State) set(line string) error {
	name, value, _ := strings.Cut(line, "=")
	switch {
	case line == "":
	case name == "fence":
		fence, err := strconv.ParseInt(value, 10, 64)
		if err != nil || fence < 0 {
			return fmt.Errorf("%q is not a fence, expected a whole number", terminal.OneLine(value, 100))
		}
		s.Fence = fence
	case name == "alive" && (value == "true" || value == "false"):
		s.Alive = value == "true"
	case name == "detail":
		s.Detail = terminal.OneLine(value, maxQuoted/4)
	default:
		return fmt.Errorf("%q, expected fence=N, alive=true, alive=false or detail=TEXT", terminal.OneLine(line, 100))
	}
	return nil
}
