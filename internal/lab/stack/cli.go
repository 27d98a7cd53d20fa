package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Ran is what a command printed and how it ended.
type Ran struct {
	Stdout, Stderr string
	Code           int
}

// Sluice runs the CLI against the stack. Its error means that the program could not be run; an exit
// code is in the answer.
func (s *Stack) Sluice(ctx context.Context, args ...string) (Ran, error) {
	var out, errOut bytes.Buffer
	code, err := s.SluiceTo(ctx, &out, &errOut, args...)
	return Ran{Stdout: out.String(), Stderr: errOut.String(), Code: code}, err
}

// SluiceTo is Sluice with its output passed on as it comes.
func (s *Stack) SluiceTo(ctx context.Context, stdout, stderr io.Writer, args ...string) (int, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin.Dir, "sluice"), args...)
	cmd.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+s.Address, "TEMPORAL_NAMESPACE="+s.Namespace, "SLUICE_UI="+s.UI, "NO_COLOR=1")
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return -1, fmt.Errorf("run sluice %v: %w", args, err)
	}
	return 0, nil
}
