package main

import (
	"cmp"
	"os"
	"os/user"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/terminal"
)

func byFlag() cli.Flag {
	return &cli.StringFlag{Name: "by", Usage: "`WHO` does this, kept with the rollout (default: user@host)"}
}

// maxBy bounds a name, in bytes.
const maxBy = 100

// byOf is --by, or the user of this machine.
func byOf(c *cli.Context) (string, error) {
	by := c.String("by")
	switch {
	case by == "":
		return whoami(), nil
	case len(by) > maxBy:
		return "", usagef("--by is %d bytes, expected at most %d", len(by), maxBy)
	case !utf8.ValidString(by) || terminal.Safe(by) != by || strings.TrimSpace(by) != by:
		return "", usagef("--by %q has control characters, or spaces at an end, expected a name such as ana@laptop", by)
	}
	return by, nil
}

// checkWhy refuses a reason that would not be kept as it is.
func checkWhy(why string) error {
	if len(why) > rollout.MaxText {
		return usagef("--why is %d bytes, expected at most %d", len(why), rollout.MaxText)
	}
	return nil
}

// whoami is user@host of this process, in plain characters.
func whoami() string {
	name := os.Getenv("USER")
	if name == "" {
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	host, _ := os.Hostname() // empty where it is not known
	return plainName(name) + "@" + plainName(host)
}

// plainName keeps letters, digits and a few signs.
func plainName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-+", r) {
			return r
		}
		return -1
	}, s)
	return cmp.Or(s[:min(len(s), maxBy/2-1)], "unknown")
}

// signed is who does it and why. A command that needs a reason refuses one without a word.
func signed(c *cli.Context, command string, needsReason bool) (by, why string, err error) {
	if by, err = byOf(c); err != nil {
		return by, why, err
	}
	why = c.String("why")
	switch {
	case needsReason && why == "":
		return by, why, usagef("%s needs a reason, which is kept with the rollout: --why \"…\"", command)
	case needsReason && !strings.ContainsFunc(why, unicode.IsLetter):
		return by, why, usagef("--why %q has no word in it, expected a reason such as \"looked at by hand\"", why)
	}
	return by, why, checkWhy(why)
}
