package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/bundle/registry"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/inventory"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// stdinName is how problems name a file that came through a pipe.
const stdinName = "<stdin>"

// named is how problems name a file.
func named(path string) string {
	if path == "-" {
		return stdinName
	}
	return path
}

// loaded is a spec with the fleet and the plan that belong to it. A fleet that the worker lists is
// not among it, and so there is no plan.
type loaded struct {
	file  string
	kinds spec.Kinds
	doc   *spec.Document
	spec  spec.Spec
	fleet fleet.Fleet
	plan  plan.Plan
	// dir is the spec's folder.
	dir string
	// bundle is the folder that the release is made of, or the reference to it; empty where it is
	// none.
	bundle string
	// from is where the bundle is pulled from, and via how; the zero value where it is a folder.
	from registry.Reference
	via  puller
	// opened is the bundle once it was looked into.
	opened *openedBundle
	// parts are those of the spec, each as if it were one; at is where such a one stands, such as
	// "parts[1].".
	parts []*loaded
	at    string
}

// load reads the spec that a command names, or standard input for "-", and the fleet file that it
// names, if it names one, and plans. All problems that are found are in the error.
func load(ctx context.Context, con *console, c *cli.Context) (loaded, error) {
	path := c.Args().First()
	data, err := read(con, path)
	if err != nil {
		return loaded{file: named(path), kinds: con.catalog.Kinds()}, err
	}
	return loadText(ctx, con, path, data, pullerOf(c))
}

// loadText is load of a text that is not read from its path, or not any more.
func loadText(ctx context.Context, con *console, path string, data []byte, via puller) (loaded, error) {
	dir := filepath.Dir(path) // "." for "-"
	l := loaded{file: named(path), kinds: con.catalog.Kinds(), dir: dir, via: via}
	doc, err := spec.Parse(l.file, data, l.kinds)
	if err != nil {
		return l, invalidInput(l.file, err)
	}
	l.doc, l.spec = doc, doc.Spec
	if err := l.name(ctx); err != nil {
		return l, err
	}
	if l.spec.Fleet.Listed() {
		return l, nil
	}
	listed, err := loadFleet(doc, l.file, dir)
	if err != nil {
		return l, err
	}
	l.fleet = listed.Fleet
	return l, l.cut(func(id, message string) error { return listed.Problem(id, "address", message) })
}

// cut plans on the fleet at hand, and looks whether its targets can be reached; at places an
// address in the file that has it.
func (l *loaded) cut(at func(id, message string) error) (err error) {
	if l.plan, err = plan.New(l.spec, l.fleet, l.kinds); err != nil {
		err = located(l.doc, err)
	}
	if err = errors.Join(err, addresses(l.spec, l.kinds, l.fleet, at)); err != nil {
		return invalidInput(l.file, err)
	}
	return nil
}

// list lists the fleet from here and plans on it, where the worker would list it.
func (l *loaded) list(ctx context.Context) (err error) {
	if !l.spec.Fleet.Listed() {
		return nil
	}
	if l.fleet, err = inventory.List(ctx, l.spec.Fleet, inventory.Deps{}); err != nil {
		err = fmt.Errorf("%w (tried from here; a worker lists the fleet itself when the rollout starts)", err)
		if errors.Is(err, inventory.ErrFinal) {
			return invalidf("%w", err)
		}
		return err
	}
	return l.cut(func(id, message string) error {
		return l.doc.Problem("fleet.address", fmt.Sprintf("of target %s: %s", id, message))
	})
}

// read answers the bytes of a file, or of standard input for "-".
func read(con *console, path string) ([]byte, error) {
	if path == "-" {
		return bounded(con.in, stdinName, spec.MaxBytes)
	}
	return readFile(path, spec.MaxBytes)
}

func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, invalidf("read %s: %w", path, pathCause(err))
	}
	defer func() { _ = f.Close() }() // nothing was written
	return bounded(f, path, most)
}

// bounded reads everything, and refuses more than most bytes.
func bounded(r io.Reader, name string, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, invalidf("read %s: %w", name, pathCause(err))
	}
	if int64(len(data)) > most {
		return nil, invalidf("read %s: it has more than %d bytes, which is more than any sensible file of its kind", name, most)
	}
	return data, nil
}

// pathCause is an error without the path, which the message names already.
func pathCause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// loadFleet reads the fleet file. Problems inside it name that file; a file that cannot be read is
// a problem of the spec's line.
func loadFleet(doc *spec.Document, file, dir string) (*fleet.Document, error) {
	path := doc.Spec.Fleet.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	data, err := readFile(path, fleet.MaxBytes)
	if err != nil {
		return nil, invalidInput(file, doc.Problem("fleet", err.Error()+", expected the path of a fleet file, relative to the spec's folder"))
	}
	f, err := fleet.ParseDocument(path, data)
	if err != nil {
		return nil, invalidInput(path, err)
	}
	return f, nil
}

// located gives a plan's errors their positions in the spec.
func located(doc *spec.Document, err error) error {
	var out []error
	for _, e := range split(err) {
		if p, ok := errors.AsType[*plan.Error](e); ok {
			e = doc.Problem(p.Path, p.Message)
		}
		out = append(out, e)
	}
	return errors.Join(out...)
}

// split undoes errors.Join.
func split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range joined.Unwrap() {
			out = append(out, split(e)...)
		}
		return out
	}
	return []error{err}
}

// invalidInput lists the problems of a file.
func invalidInput(file string, err error) error {
	problems := problemsOf(file, err)
	elsewhere := func(p strictyaml.Problem) bool { return p.File != problems[0].File }
	if len(problems) > 0 && !slices.ContainsFunc(problems, elsewhere) {
		file = problems[0].File // a fleet file's are not the spec's
	}
	return &exitError{
		code: exitInvalid, problems: problems,
		err: fmt.Errorf("%s has %s", file, plural(len(problems), "problem")),
	}
}

// problemsOf are the problems in an error, with those that have no place.
func problemsOf(file string, err error) strictyaml.Problems {
	var problems strictyaml.Problems
	for _, e := range split(err) {
		if all, ok := errors.AsType[strictyaml.Problems](e); ok {
			problems = append(problems, all...)
		} else if one, ok := errors.AsType[strictyaml.Problem](e); ok {
			problems = append(problems, one)
		} else {
			problems = append(problems, strictyaml.Problem{File: file, Message: e.Error()})
		}
	}
	return problems
}

// addresses finds the fields of a spec that cannot reach a target. Of each it names the first
// target and counts the others: most often a whole fleet has the same mistake.
func addresses(s spec.Spec, kinds spec.Kinds, f fleet.Fleet, at func(id, message string) error) error {
	var errs []error
	named := map[string]bool{} // targets
	for _, use := range s.AddressUses(kinds) {
		first, message, more := "", "", 0
		for _, t := range f.Targets {
			switch m := use.Check(t.ID, t.Address, t.Labels); {
			case m == "":
			case message == "":
				first, message = t.ID, m
			default:
				more++
			}
		}
		if message == "" || named[first] {
			continue
		}
		named[first] = true
		if more > 0 {
			message += fmt.Sprintf(" (%s: the same)", plural(more, "more target"))
		}
		errs = append(errs, at(first, message))
	}
	return errors.Join(errs...)
}
