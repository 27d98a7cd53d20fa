package driver

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

// maxAnswer bounds what is read of a target's answer or a program's output, in
// bytes.
const maxAnswer = 64 << 10

// maxQuoted bounds how much of it is repeated in an error or a detail.
const maxQuoted = 2 << 10

// checkRelease says whether text can be a release: empty, or one printable word.
// It holds for what targets say, since a stray message that is taken for a release
// would be taken for the way back; and so it holds for orders too, since nobody
// could see such a release in effect.
func checkRelease(release string) error {
	if len(release) > spec.MaxRelease {
		return fmt.Errorf("a release of %d bytes, the limit is %d", len(release), spec.MaxRelease)
	}
	if release != "" && !spec.IsWord(release) {
		return fmt.Errorf("%q is not a release, expected one word", terminal.OneLine(release, spec.MaxRelease))
	}
	return nil
}

// checkArgument says whether a value may become part of a program's argument.
func checkArgument(value string) error {
	if strings.HasPrefix(value, "-") {
		return fmt.Errorf("%q begins with '-' and could be taken for an option", terminal.OneLine(value, spec.MaxRelease))
	}
	for _, r := range value {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return fmt.Errorf("%q holds a control character", terminal.OneLine(value, spec.MaxRelease))
		}
	}
	return nil
}

// checkOrdered refuses what no target could be seen to run.
func checkOrdered(o Order) error {
	if err := checkRelease(o.Release); err != nil {
		return refused(fmt.Errorf("release: %w", err))
	}
	return nil
}

// refused marks an error as one that retrying cannot mend.
func refused(err error) error {
	if err == nil || errors.Is(err, ErrRefused) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}
