package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/sluicehq/sluice/internal/draft"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/terminal"
)

func initCommand() command {
	return command{
		name:  "init",
		short: "write a first spec for a fleet, by a look at its metrics",
		long: `Looks at one target's metrics page (--page, read twice), or asks a Prometheus about one
target of the fleet (--prometheus), and writes a spec that catches errors, slow answers,
silence and one bad host, with a comment for each check. It also asks that target for /,
/healthz and other usual paths, to find what a probe can ask for. What it does not find is
in its output and at the end of the spec. Without either it writes the names of metrics that are usual.

It validates what it has written, as sluice validate does, and overwrites nothing. On a
terminal it asks for what is not given.`,
		example: "sluice init --unit edge-proxy --fleet fleet.yaml --page 'http://{{address}}/metrics'",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "unit", Usage: "`NAME` of what changes: a service, or one configuration"},
			&cli.StringFlag{Name: "release", Usage: "the `VERSION` to go to (default: one to be changed)"},
			&cli.StringFlag{Name: "bundle", Usage: "`FOLDER` of files that are the release, in place of --release; the driver agent needs it"},
			&cli.StringFlag{Name: "fleet", Value: "fleet.yaml", Usage: "fleet `FILE`: id, address and labels of each target"},
			&cli.StringFlag{Name: "driver", Value: "http", Usage: "how a release gets onto a target: http, exec or agent"},
			&cli.StringFlag{Name: "page", Usage: "`URL` of one target's metrics page, or a template such as http://{{address}}/metrics"},
			&cli.StringFlag{Name: "prometheus", Usage: "base `URL` of a Prometheus-compatible API that knows the fleet"},
			&cli.StringFlag{
				Name:  "probe",
				Usage: "`URL` that each target answers with 2xx, such as http://{{address}}/healthz (default: the first usual path that does)",
			},
			&cli.StringFlag{
				Name: "bake", Value: "10m",
				Usage: "how long each stage is watched, such as 10m; " +
					"where it is not given, longer if a Prometheus says that harm takes longer to show",
			},
			&cli.StringFlag{Name: "out", Value: "rollout.yaml", Usage: "the `FILE` to write"},
		},
		run: runInit,
	}
}

func runInit(ctx context.Context, con *console, c *cli.Context) error {
	o, err := con.draftOptions(c)
	if err != nil {
		return err
	}
	out := c.String("out")
	if _, err := os.Lstat(out); err == nil {
		return invalidf("%s is there already and is not overwritten; name another file with --out", out)
	}
	path := c.String("fleet")
	if !c.IsSet("fleet") {
		path = cmp.Or(con.ask("fleet file (empty: "+path+")"), path)
	}
	doc, err := readFleetFor(path)
	if err != nil {
		return err
	}
	o.Targets = doc.Fleet.Targets
	if o.Fleet, err = besideOf(out, path); err != nil {
		return err
	}
	if o.Bundle != "" {
		if o.Bundle, err = besideOf(out, o.Bundle); err != nil {
			return err
		}
	}
	page, server := c.String("page"), c.String("prometheus")
	if page == "" && server == "" {
		page = con.ask("metrics page of a target (URL, such as http://{{address}}/metrics; empty: none)")
	}
	if page == "" && server == "" {
		server = con.ask("Prometheus that knows the fleet (URL, such as http://prometheus:9090; empty: none)")
	}
	seen, err := look(ctx, page, server, o.Targets)
	if err != nil {
		return invalidf("%w; nothing was written", err)
	}
	if o.Probe == "" && seen.Looked && seen.Probe == "" {
		o.Probe = con.ask("what each target answers its users with 2xx (URL, such as http://{{address}}/healthz; empty: no such check)")
	}
	d := draft.Write(o, seen)
	l, err := loadText(ctx, con, out, []byte(d.Text), puller{})
	if err == nil && server != "" && !c.IsSet("bake") {
		d, l, err = con.bakedLongEnough(ctx, out, o, seen, d, l)
	}
	if err != nil {
		con.say("nothing was written: the spec would have problems")
		return err
	}
	if err := writeNew(out, d.Text); err != nil {
		return err
	}
	return con.tellDraft(out, seen, d, l)
}

// bakedLongEnough lets stages bake as long as it takes to see harm, as plan reckons by the past of
// a Prometheus. What cannot be reckoned stays as it is: plan says that.
func (c *console) bakedLongEnough(
	ctx context.Context, out string, o draft.Options, seen draft.Seen, d draft.Draft, l loaded,
) (draft.Draft, loaded, error) {
	const rounds = 3 // a longer bake is judged by fewer looks, and may take a little more
	o.Bakes = map[string]time.Duration{}
	for range rounds {
		forecasts, err := predict(ctx, c.catalog.Health(), l.plan, c.now())
		if err != nil {
			return d, l, nil //nolint:nilerr // plan says so
		}
		longer := false
		for _, f := range forecasts {
			if bake := time.Duration(f.Enough * float64(time.Second)); bake > o.Bakes[f.Stage] {
				o.Bakes[f.Stage], longer = bake, true
			}
		}
		if !longer {
			break
		}
		d = draft.Write(o, seen)
		if l, err = loadText(ctx, c, out, []byte(d.Text), puller{}); err != nil {
			return d, l, err
		}
	}
	return d, l, nil
}

// tellDraft says what was written.
func (c *console) tellDraft(out string, seen draft.Seen, d draft.Draft, l loaded) error {
	if c.json {
		object := valid(l)
		object["file"], object["found"], object["missing"] = out, orEmpty(d.Found), orEmpty(d.Missing)
		return c.object(object)
	}
	lines := []string{"wrote " + terminal.Safe(out)}
	if seen.Looked {
		lines[0] += ", from " + terminal.Safe(seen.From)
	}
	for _, part := range []struct {
		heading string
		items   []string
	}{{"It looks at", d.Found}, {"It lacks", d.Missing}} {
		if len(part.items) > 0 {
			lines = append(lines, part.heading+":")
		}
		for _, item := range part.items {
			lines = append(lines, "  - "+terminal.Safe(item))
		}
	}
	return c.lines(append(lines, validText(l), "next: sluice plan "+terminal.Safe(out)))
}

func orEmpty(all []string) []string { return append([]string{}, all...) }

// draftOptions are what the flags say, and a person at a terminal.
func (c *console) draftOptions(ctx *cli.Context) (draft.Options, error) {
	o := draft.Options{
		Unit: ctx.String("unit"), Release: ctx.String("release"), Bundle: ctx.String("bundle"),
		Driver: ctx.String("driver"), Probe: ctx.String("probe"),
	}
	var err error
	switch o.Bake, err = time.ParseDuration(ctx.String("bake")); {
	case err != nil || o.Bake < time.Second:
		return o, usagef("--bake %q is not a duration of at least 1s, such as 10m", ctx.String("bake"))
	case o.Driver != "http" && o.Driver != "exec" && o.Driver != "agent":
		return o, usagef("--driver %q is unknown, expected http, exec or agent", o.Driver)
	case o.Bundle != "" && o.Release != "":
		return o, usagef("--bundle and --release exclude each other: the files are the release")
	case ctx.String("page") != "" && ctx.String("prometheus") != "":
		return o, usagef("--page and --prometheus exclude each other: a spec has one source")
	}
	if o.Unit == "" {
		o.Unit = c.ask("unit (what changes: a service, or one configuration)")
	}
	if o.Unit == "" {
		return o, usagef("init needs --unit, for example: %s", initCommand().example)
	}
	if o.Driver == "agent" && o.Bundle == "" {
		if o.Bundle = c.ask("folder of the files that are the release"); o.Bundle == "" {
			return o, usagef("init --driver agent needs the files that are the release: --bundle FOLDER")
		}
	}
	if o.Release == "" && o.Bundle == "" {
		o.Release = c.ask("release (the version to go to; empty: to be changed later)")
	}
	return o, nil
}

// ask asks a person at a terminal; where there is none the answer is empty.
func (c *console) ask(question string) string {
	f, ok := c.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return ""
	}
	c.say("%s:", question)
	answer, _ := bufio.NewReader(f).ReadString('\n') // a terminal hands out one line at a time
	return strings.TrimSpace(answer)
}

func look(ctx context.Context, page, server string, targets []fleet.Target) (draft.Seen, error) {
	switch {
	case page != "":
		return draft.Looker{}.LookAtPage(ctx, page, targets)
	case server != "":
		return draft.Looker{}.LookAtPrometheus(ctx, server, targets)
	}
	return draft.Seen{}, nil
}

// readFleetFor reads the fleet file; where there is none it says how to write one.
func readFleetFor(path string) (*fleet.Document, error) {
	data, err := readFile(path, fleet.MaxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, invalidf(`no fleet file %s (--fleet): write one first, with a line for each target, such as
targets:
  - {id: web-1, address: "10.1.0.1:8080", labels: {region: eu}}`, path)
	}
	if err != nil {
		return nil, err
	}
	doc, err := fleet.ParseDocument(path, data)
	if err != nil {
		return nil, invalidInput(path, err)
	}
	return doc, nil
}

// besideOf is a path relative to the folder of a file.
func besideOf(file, path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", err
	}
	return filepath.Rel(dir, path)
}

// writeNew writes a file that is not there yet.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return invalidf("write %s: %w", path, pathCause(err))
	}
	_, err = f.WriteString(text)
	if err := cmp.Or(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
