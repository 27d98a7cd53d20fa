package driver

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/internal/terminal"
)

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
