package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/program"
	"github.com/sluicehq/sluice/internal/terminal"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// consumer is the program that reads the files: what it is asked, and how.
type consumer struct {
	unit, id string
	settings Unit
	as       *syscall.Credential
	home     string // of that user
}

// newConsumer looks up the user as whom commands run.
func newConsumer(id, unit string, settings Unit) (consumer, error) {
	c := consumer{unit: unit, id: id, settings: settings}
	if settings.Run == "" {
		return c, nil
	}
	u, err := user.Lookup(settings.Run)
	if err != nil {
		return c, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return c, err
	}
	c.as, c.home = new(syscall.Credential), u.HomeDir
	for i, text := range append([]string{u.Uid, u.Gid}, ids...) {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return c, fmt.Errorf("user %s: %w", settings.Run, err)
		}
		switch i {
		case 0:
			c.as.Uid = uint32(n)
		case 1:
			c.as.Gid = uint32(n)
		default:
			c.as.Groups = append(c.as.Groups, uint32(n))
		}
	}
	return c, nil
}

// check asks whether the consumer could use the release in a folder.
func (c consumer) check(ctx context.Context, release, dir string) error {
	return c.command(ctx, "check", c.settings.Check, release, dir)
}

// reload tells the consumer that its files are others.
func (c consumer) reload(ctx context.Context, release, dir string) error {
	return c.command(ctx, "reload", c.settings.Reload, release, dir)
}

// command runs one, which must end with 0.
func (c consumer) command(ctx context.Context, step string, argv []string, release, dir string) error {
	if len(argv) == 0 {
		return nil
	}
	r, err := c.run(ctx, argv, release, dir, time.Duration(c.settings.Timeout), 0)
	if err == nil && r.Code != 0 {
		err = r.Failure()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	return nil
}

func (c consumer) run(ctx context.Context, argv []string, release, dir string, timeout time.Duration, answer int) (program.Result, error) {
	filled := slices.Clone(argv)
	for i, arg := range argv {
		var err error
		if filled[i], err = tmpl.Fill(arg, c.values(release, dir)); err != nil {
			return program.Result{}, err
		}
	}
	env := map[string]string{"SLUICE_TARGET": c.id, "SLUICE_UNIT": c.unit, "SLUICE_RELEASE": release, "SLUICE_DIR": dir}
	if c.home != "" {
		env["HOME"] = c.home
	}
	return program.Run(ctx, program.Call{Argv: filled, Env: env, Timeout: timeout, As: c.as, Answer: answer})
}

func (c consumer) values(release, dir string) tmpl.Values {
	return tmpl.ForTarget(c.id, "", nil).With(tmpl.Unit, c.unit).With(tmpl.Release, release).With(placeholderDir, dir)
}

// How often a consumer is asked whether it runs the release, and how much of its answer is read.
const (
	askEvery  = 250 * time.Millisecond
	maxAnswer = 64 << 10
)

// confirm asks the consumer until it shows that it runs a release, and no longer than it may take.
func (c consumer) confirm(ctx context.Context, release, dir string) error {
	settings := c.settings.Confirm
	if settings == nil || release == "" {
		return nil
	}
	within := time.Duration(settings.Within)
	until := time.Now().Add(within)
	for {
		err := c.shows(ctx, *settings, release, dir, max(time.Until(until), time.Second))
		switch {
		case err == nil || ctx.Err() != nil:
			return err
		case !time.Now().Before(until):
			return fmt.Errorf("confirm: not within %s: %w", within, err)
		}
		if err := pause.For(ctx, min(askEvery, time.Until(until))); err != nil {
			return err
		}
	}
}

// shows asks once.
func (c consumer) shows(ctx context.Context, settings Confirm, release, dir string, timeout time.Duration) error {
	contains, err := tmpl.Fill(settings.Contains, c.values(release, dir))
	if err != nil {
		return err
	}
	var said string
	if settings.HTTP != "" {
		said, err = c.get(ctx, settings.HTTP, release, dir, timeout)
	} else {
		var r program.Result
		r, err = c.run(ctx, settings.Command, release, dir, timeout, maxAnswer)
		if said = r.Stdout; err == nil && r.Code != 0 {
			err = r.Failure()
		}
	}
	if err == nil && !strings.Contains(said, contains) {
		err = fmt.Errorf("%q is not in %q", contains, terminal.OneLine(said, 200))
	}
	return err
}

// asking follows no redirect and no proxy: the consumer is on this machine.
var asking = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: maxAnswer},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (c consumer) get(ctx context.Context, where, release, dir string, timeout time.Duration) (string, error) {
	where, _, err := tmpl.FillURL(where, c.values(release, dir))
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return "", err
	}
	resp, err := asking.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }() // only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status + ": " + terminal.OneLine(string(body), 200))
	}
	return string(body), err
}
