package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/data"
	"github.com/sluicehq/sluice/internal/bundle/diff"
	"github.com/sluicehq/sluice/internal/bundle/registry"
	"github.com/sluicehq/sluice/internal/bundle/validate"
	"github.com/sluicehq/sluice/internal/program"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// fitTimeout bounds the command of validate.
const fitTimeout = time.Minute

// fit refuses a bundle that breaks what the spec says of its files by themselves: schemas, limits,
// and, where it keeps those, the command.
func (l *loaded) fit(ctx context.Context) error {
	for _, one := range l.bundles() {
		if err := one.fitOne(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *loaded) fitOne(ctx context.Context) error {
	v := l.spec.Validate
	if v == nil {
		return nil
	}
	o, err := l.packed(ctx)
	if err != nil {
		return err
	}
	schemas := map[string][]byte{}
	var problems strictyaml.Problems
	for pattern, name := range v.Schema {
		content, err := readFile(l.beside(name), data.MaxBytes)
		if err != nil {
			problems = append(problems, l.problem(strictyaml.Field("validate.schema", pattern), err.Error()))
		}
		schemas[name] = content
	}
	if len(problems) > 0 {
		return invalidInput(l.file, problems.Err())
	}
	read, err := o.read(validate.Reads(*v))
	if err != nil {
		return err
	}
	if found := validate.Check(*v, read, schemas); len(found) > 0 {
		return invalidInput(l.file, l.placed(found))
	}
	return l.ask(ctx, o)
}

// packed is the bundle of the release that was named when the spec was read, built or pulled once.
// Whoever has loaded the spec closes it.
func (l *loaded) packed(ctx context.Context) (openedBundle, error) {
	if l.opened != nil {
		return *l.opened, nil
	}
	o, err := l.pack(ctx)
	if errors.Is(err, registry.ErrTrouble) {
		return o, err
	}
	if err != nil {
		return o, l.refuseBundle(err)
	}
	if o.Release() != l.spec.Release {
		o.close()
		return o, l.changedMeanwhile()
	}
	l.opened = &o
	return o, nil
}

// pack builds the bundle of a folder, or pulls one into a store that is gone afterwards.
func (l *loaded) pack(ctx context.Context) (o openedBundle, err error) {
	if l.from == (registry.Reference{}) {
		return packFolder(ctx, l.bundle)
	}
	dir, err := os.MkdirTemp("", "sluice-pulled-")
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	kept, err := store.Dir(dir)
	if err != nil {
		return o, err
	}
	if _, err := l.keepIn(ctx, bundle.Kept{Store: kept}); err != nil {
		return o, err
	}
	return openKept(ctx, l.spec.Release, dir)
}

// close lets go of the bundles.
func (l *loaded) close() {
	for _, one := range l.bundles() {
		if one.opened != nil {
			one.opened.close()
		}
	}
}

// beside is a path that is relative to the spec's folder.
func (l loaded) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(l.dir, path)
}

// placed gives findings their files on this computer, or their places in the spec.
func (l *loaded) placed(found []validate.Finding) strictyaml.Problems {
	var out strictyaml.Problems
	for _, f := range found {
		if f.File == "" {
			out = append(out, l.problem(f.Setting, f.Message))
			continue
		}
		f.File = filepath.Join(l.bundle, filepath.FromSlash(f.File))
		out = append(out, f.Problem)
	}
	return out
}

// ask runs the command of validate on a copy of the files.
func (l *loaded) ask(ctx context.Context, o openedBundle) (err error) {
	command := l.spec.Validate.Command
	if len(command) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp("", "sluice-validate-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := unpackInto(dir, o); err != nil {
		return err
	}
	argv := make([]string, len(command))
	for i, arg := range command {
		if argv[i], err = tmpl.Fill(arg, tmpl.Values{}.With(tmpl.Dir, dir)); err != nil {
			return invalidInput(l.file, l.problem(strictyaml.Index("validate.command", i), err.Error()))
		}
	}
	said, err := program.Run(ctx, program.Call{Argv: argv, Dir: l.dir, Timeout: fitTimeout})
	switch {
	case ctx.Err() != nil:
		return err
	case err != nil:
		return invalidInput(l.file, l.problem("validate.command", "could not look at the bundle: "+err.Error()))
	case said.Code != 0:
		return invalidInput(l.file, l.problem("validate.command", "refuses the bundle: "+said.Failure().Error()))
	}
	return nil
}

func unpackInto(dir string, o openedBundle) (err error) {
	if err := o.begin(); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := o.Unpack(root, o.archive); err != nil {
		return fmt.Errorf("unpack %s for validate.command: %w", o.name, err)
	}
	return nil
}

// against compares the bundle with an old one: how its files differ, and what of that is more than
// the spec allows.
func (l *loaded) against(ctx context.Context, old openedBundle) ([]diff.File, strictyaml.Problems, error) {
	o, err := l.packed(ctx)
	if err != nil {
		return nil, nil, err
	}
	files, err := differences(old, o, shownChanges)
	if err != nil || l.spec.Validate == nil || l.spec.Validate.Change == nil {
		return files, nil, err
	}
	was, is, err := readBoth(old, o, validate.Reads(*l.spec.Validate))
	if err != nil {
		return nil, nil, err
	}
	return files, l.placed(validate.Change(*l.spec.Validate.Change, was, is)), nil
}

// shownChanges is how many lines of a difference plan and start show.
const shownChanges = 20
