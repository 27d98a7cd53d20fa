package inventory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/program"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// maxProblems is how many problems of a printed fleet file are told.
const maxProblems = 5

// fromCommand runs a program that prints a fleet file.
func fromCommand(ctx context.Context, f spec.FleetSource) (fleet.Fleet, error) {
	r, err := program.Run(ctx, program.Call{Argv: f.Command, Timeout: f.Timeout.Std(), Answer: fleet.MaxBytes})
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, exec.ErrDot), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return fleet.Fleet{}, final(fmt.Errorf("%w (is it on this machine?)", err))
	case err != nil:
		return fleet.Fleet{}, err
	case r.Code == program.ExitRefused:
		return fleet.Fleet{}, final(r.Failure())
	case r.Code != 0:
		return fleet.Fleet{}, r.Failure()
	case r.Cut:
		return fleet.Fleet{}, final(fmt.Errorf("%s: printed more than %d MiB", r.Program, fleet.MaxBytes>>20))
	case strings.TrimSpace(r.Stdout) == "":
		return fleet.Fleet{}, final(fmt.Errorf("%s: printed nothing, expected a fleet file", r.Program))
	}
	out, err := fleet.Parse("output of "+r.Program, []byte(r.Stdout))
	if err != nil {
		return fleet.Fleet{}, final(brief(err))
	}
	return out, nil
}

// brief is the first problems of a fleet file in one line: they go into the history of a rollout.
func brief(err error) error {
	problems, ok := errors.AsType[strictyaml.Problems](err)
	if !ok {
		return err
	}
	var lines []string
	for _, p := range problems[:min(len(problems), maxProblems)] {
		lines = append(lines, p.Error())
	}
	if more := len(problems) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more problems", more))
	}
	return errors.New(strings.Join(lines, "; "))
}
