package main

import (
	"context"
	"errors"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/registry"
	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// storeFlag names a content store.
func storeFlag(what string) cli.Flag {
	return &cli.StringFlag{Name: "store", EnvVars: []string{"SLUICE_STORE"}, Usage: "`FOLDER` " + what}
}

// name gives a spec that names a bundle the release that it is: a folder by its files, and one that
// is elsewhere by its table. So it does for every part.
func (l *loaded) name(ctx context.Context) error {
	for i, p := range l.spec.Parts {
		part := *l
		part.parts, part.at = nil, strictyaml.Index("parts", i)+"."
		part.spec = spec.Spec{Unit: p.Unit, Release: p.Release, Bundle: p.Bundle, Validate: p.Validate}
		if err := part.name(ctx); err != nil {
			return err
		}
		l.parts, l.spec.Parts[i].Release = append(l.parts, &part), part.spec.Release
	}
	if l.parts != nil {
		l.spec.Release = l.spec.Composed()
		return nil
	}
	if l.spec.Bundle == "" {
		return nil
	}
	l.bundle = l.spec.Bundle
	if registry.Is(l.bundle) {
		return l.nameFrom(ctx)
	}
	l.bundle = l.beside(l.bundle)
	b, err := bundle.Build(ctx, l.bundle, io.Discard)
	if err != nil {
		return l.refuseBundle(err)
	}
	l.spec.Release = b.Release()
	return nil
}

// bundles are the spec, or those of its parts, whose release is a bundle.
func (l *loaded) bundles() (all []*loaded) {
	for _, one := range append([]*loaded{l}, l.parts...) {
		if one.bundle != "" {
			all = append(all, one)
		}
	}
	return all
}

// part is the unit of a part; empty for a whole spec.
func (l *loaded) part() string {
	if l.at == "" {
		return ""
	}
	return l.spec.Unit
}

// problem places a problem with a setting of the spec, or of the part.
func (l *loaded) problem(path, message string) strictyaml.Problem {
	return l.doc.Problem(l.at+path, message)
}

// nameFrom is name of a bundle in a registry or an OCI layout.
func (l *loaded) nameFrom(ctx context.Context) error {
	from, err := registry.Parse(l.bundle)
	if err != nil {
		return l.refuseBundle(err)
	}
	if from.Folder != "" {
		from.Folder = l.beside(from.Folder)
	}
	l.bundle, l.from = from.String(), from
	b, err := l.via.table(ctx, from)
	if errors.Is(err, registry.ErrTrouble) {
		return err
	}
	if err != nil {
		return l.refuseBundle(err)
	}
	l.spec.Release = b.Release()
	return nil
}

// refuseBundle lists what is wrong with the folder at the spec's line.
func (l *loaded) refuseBundle(err error) error {
	var problems strictyaml.Problems
	for _, e := range split(err) {
		text := e.Error()
		if errors.Is(e, bundle.ErrInvalid) && l.from == (registry.Reference{}) {
			text = l.bundle + ": " + text
		}
		problems = append(problems, l.problem("bundle", text))
	}
	return invalidInput(l.file, problems)
}

// needsStore refuses a bundle without a store that it could be kept in.
func (l *loaded) needsStore(storeDir string) error {
	if all := l.bundles(); len(all) > 0 && storeDir == "" {
		return invalidf("the bundle %s needs a place that the workers read: "+
			"name their store with --store FOLDER, or in SLUICE_STORE", all[0].bundle)
	}
	return nil
}

// keepBundles puts the files of releases into the store that the workers share.
func (l *loaded) keepBundles(ctx context.Context, storeDir string) error {
	for _, one := range l.bundles() {
		if err := one.keepBundle(ctx, storeDir); err != nil {
			return err
		}
	}
	return nil
}

func (l *loaded) keepBundle(ctx context.Context, storeDir string) error {
	kept, err := openStore(storeDir)
	if err != nil {
		return err
	}
	b, err := l.keepIn(ctx, kept)
	if errors.Is(err, registry.ErrTrouble) {
		return err
	}
	if err != nil {
		return invalidf("keep the bundle %s in %s: %w", l.bundle, storeDir, err)
	}
	if b.Release() != l.spec.Release {
		return l.changedMeanwhile()
	}
	return nil
}

// keepIn builds or pulls the bundle.
func (l loaded) keepIn(ctx context.Context, kept bundle.Kept) (bundle.Bundle, error) {
	if l.from == (registry.Reference{}) {
		return kept.Build(ctx, l.bundle)
	}
	return l.via.pull(ctx, l.from, kept)
}

func (l loaded) changedMeanwhile() error {
	return invalidf("the files of the bundle %s have changed meanwhile: start again", l.bundle)
}

// puller brings bundles from registries. While one has trouble, what was pulled before serves: a
// store that the command names.
type puller struct {
	registry.Access
	store string
}

func pullerOf(c *cli.Context) puller { return puller{Access: accessOf(c), store: c.String("store")} }

func (p puller) table(ctx context.Context, from registry.Reference) (bundle.Bundle, error) {
	return p.orBefore(from, func(from registry.Reference) (bundle.Bundle, error) { return p.Table(ctx, from) })
}

func (p puller) pull(ctx context.Context, from registry.Reference, kept bundle.Kept) (bundle.Bundle, error) {
	return p.orBefore(from, func(from registry.Reference) (bundle.Bundle, error) {
		b, _, err := p.Pull(ctx, from, kept, signature.MediaType)
		return b, err
	})
}

// orBefore brings a bundle, or else the same one from the store. If that has none, the trouble
// stands.
func (p puller) orBefore(from registry.Reference, bring func(registry.Reference) (bundle.Bundle, error)) (bundle.Bundle, error) {
	b, err := bring(from)
	if errors.Is(err, registry.ErrTrouble) && p.store != "" {
		if before, err := bring(registry.Reference{Folder: p.store, Manifest: from.Manifest}); err == nil {
			return before, nil
		}
	}
	return b, err
}
