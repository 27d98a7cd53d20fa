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

// ExitFenced is the exit status by which a program says that a newer fence has been here: the first
// one that sysexits.h leaves free. program.ExitRefused says that the order will never be accepted.
// Any other but 0, a death by signal and a timeout may be tried again.
const ExitFenced = 79

// Exec are the settings of the driver that runs programs on the worker, never through a shell. Each
// argument is a template over {{id}}, {{address}}, {{unit}}, {{release}}, {{fence}} and
// {{label.NAME}}; a value always stays inside its argument. docs/drivers.md spells out the
// contract.
type Exec struct {
	// Observe prints the release that the target runs on the first line of its standard output; an
	// empty line means that nothing is installed.
	Observe []string `yaml:"observe" json:"observe,omitempty"`
	// Apply puts {{release}} on the target. It must be idempotent.
	Apply []string `yaml:"apply" json:"apply,omitempty"`
	// Validate, when set, must succeed before Apply is run on a target, and for the first cohort
	// before anything is applied at all.
	Validate []string `yaml:"validate,omitempty" json:"validate,omitempty"`
	// Prepare, when set, is run for the whole fleet before the first stage: it fetches and checks
	// the release beside the running one, and switches nothing. Its exit statuses are those of
	// Apply.
	Prepare []string `yaml:"prepare,omitempty" json:"prepare,omitempty"`
	// Timeout bounds one run. Default 30s.
	Timeout spec.Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// Check checks the programs and their arguments.
func (x *Exec) Check(s spec.Section) {
	target := []string{tmpl.ID, tmpl.Address, tmpl.Unit, tmpl.Label}
	order := append(slices.Clone(target), tmpl.Release, tmpl.Fence)
	if s.Needs("observe") {
		s.Argv("observe", x.Observe, target...)
	}
	if s.Needs("apply") {
		s.Argv("apply", x.Apply, order...)
	}
	s.Argv("validate", x.Validate, order...)
	s.Argv("prepare", x.Prepare, order...)
	s.Positive("timeout", x.Timeout)
}

// SetDefaults bounds a run.
func (x *Exec) SetDefaults() { x.Timeout = cmp.Or(x.Timeout, spec.Duration(30*time.Second)) }

// Place is the program that applies, with its arguments; unknown where it reads its environment
// instead of them.
func (x *Exec) Place() string {
	call := strings.Join(x.Apply, "\x00")
	if !spec.NamesTarget(call) {
		return ""
	}
	return call
}

// Driver runs the programs.
func (x *Exec) Driver(http.RoundTripper) Driver { return execDriver{*x} }

// execDriver runs a program per target on the worker.
type execDriver struct{ settings Exec }

// Timeout bounds one run.
func (e execDriver) Timeout() time.Duration { return e.settings.Timeout.Std() }

// Observe runs the observe program and reads what it prints.
func (e execDriver) Observe(ctx context.Context, t fleet.Target, unit string) (State, error) {
	r, err := e.run(ctx, e.settings.Observe, t, Order{Unit: unit}, false)
	if err != nil {
		return State{}, fmt.Errorf("observe: %w", err)
	}
	if r.Code != 0 {
		return State{}, fmt.Errorf("observe: %w", r.Failure())
	}
	s, who, err := parseOutput(r.Stdout, r.Cut)
	if err != nil {
		return State{}, fmt.Errorf("observe: %s: %w", e.settings.Observe[0], err)
	}
	if err := who.check(t, unit); err != nil {
		return State{}, fmt.Errorf("observe: %s: %w", e.settings.Observe[0], err)
	}
	return s, nil
}

// Validate runs the validate program; any exit status but 0 means no. A removal needs no
// validation, and neither does what is put back.
func (e execDriver) Validate(ctx context.Context, t fleet.Target, o Order) error {
	if err := checkOrdered(o); err != nil {
		return err
	}
	if len(e.settings.Validate) == 0 || o.Release == "" || o.Back {
		return nil
	}
	r, err := e.run(ctx, e.settings.Validate, t, o, true)
	if err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	if r.Code != 0 {
		return refused(fmt.Errorf("validate: %w", r.Failure()))
	}
	return nil
}

// Apply runs the validate program, where there is one, and then the apply program.
func (e execDriver) Apply(ctx context.Context, t fleet.Target, o Order) error {
	if err := e.Validate(ctx, t, o); err != nil {
		return err
	}
	return e.carryOut(ctx, "apply", e.settings.Apply, t, o)
}

// Prepares says whether there is a program that does.
func (e execDriver) Prepares() bool { return len(e.settings.Prepare) > 0 }

// Prepare runs the prepare program.
func (e execDriver) Prepare(ctx context.Context, t fleet.Target, o Order) error {
	if err := checkOrdered(o); err != nil {
		return err
	}
	return e.carryOut(ctx, "prepare", e.settings.Prepare, t, o)
}

// carryOut runs the program of an order.
func (e execDriver) carryOut(ctx context.Context, step string, argv []string, t fleet.Target, o Order) error {
	r, err := e.run(ctx, argv, t, o, true)
	if err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	switch r.Code {
	case 0:
		return nil
	case program.ExitRefused:
		return refused(fmt.Errorf("%s: %w", step, r.Failure()))
	case ExitFenced:
		return fmt.Errorf("%w: %s: %w", ErrFenced, step, r.Failure())
	default:
		return fmt.Errorf("%s: %w", step, r.Failure())
	}
}

// run fills argv and the environment and runs the program. An error means that it gave no exit
// status.
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
	call := program.Call{Argv: filled, Env: env, Timeout: e.settings.Timeout.Std()}
	if !ordered {
		call.Answer = maxAnswer
	}
	return program.Run(ctx, call)
}

// fill puts an order for a target into the arguments of a program. Which of them may ask for a
// release and a fence was checked with the settings.
func fill(argv []string, t fleet.Target, o Order) ([]string, error) {
	values := orderValues(t, o)
	filled := slices.Clone(argv)
	for i, arg := range argv {
		var err error
		if filled[i], err = fillOne(arg, values); err != nil {
			return nil, fmt.Errorf("%s: argument %d: %w", argv[0], i, err)
		}
	}
	return filled, nil
}

// orderValues are the values of an order for a target.
func orderValues(t fleet.Target, o Order) tmpl.Values {
	return tmpl.ForTarget(t.ID, t.Address, t.Labels).With(tmpl.Unit, o.Unit).
		With(tmpl.Release, o.Release).With(tmpl.Fence, strconv.FormatInt(o.Fence, 10))
}

func fillOne(arg string, values tmpl.Values) (string, error) {
	return tmpl.FillEscaped(arg, values, func(_, value, _ string) (string, error) {
		return value, checkArgument(value)
	})
}

// CheckOrder fills every argument of every program.
func (e execDriver) CheckOrder(t fleet.Target, o Order) error {
	for _, argv := range [][]string{e.settings.Observe, e.settings.Validate, e.settings.Prepare, e.settings.Apply} {
		if _, err := fill(argv, t, o); err != nil {
			return err
		}
	}
	return nil
}

// parseOutput reads what an observe program prints: the release on the first line, then optional
// lines fence=N, alive=true or false, detail=text, id=ID, unit=UNIT.
func parseOutput(stdout string, cut bool) (s State, who self, err error) {
	if cut {
		return State{}, self{}, fmt.Errorf("printed more than %d bytes", maxAnswer)
	}
	if stdout == "" {
		return State{}, self{}, errors.New("printed nothing, expected the release on the first line, or an empty line where nothing is installed")
	}
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	s = State{Release: strings.TrimSpace(lines[0]), Alive: true}
	if err := checkRelease(s.Release); err != nil {
		return State{}, self{}, fmt.Errorf("the first line: %w", err)
	}
	for i, line := range lines[1:] {
		if err := s.set(&who, strings.TrimSpace(line)); err != nil {
			return State{}, self{}, fmt.Errorf("line %d: %w", i+2, err)
		}
	}
	return s, who, nil
}

func (s *State) set(who *self, line string) error {
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
	case name == "id":
		who.id = value
	case name == "unit":
		who.unit = value
	case name == "detail":
		s.Detail = terminal.OneLine(value, maxQuoted/4)
	default:
		return fmt.Errorf("%q, expected fence=N, alive=true, alive=false, detail=TEXT, id=ID or unit=UNIT", terminal.OneLine(line, 100))
	}
	return nil
}
