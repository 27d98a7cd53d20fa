package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sluicehq/sluice/internal/bundle"
)

// openedBundle is a bundle with its archive at hand.
type openedBundle struct {
	bundle.Bundle
	name    string
	archive io.ReadSeekCloser
}

func (o openedBundle) close() { _ = o.archive.Close() } // nothing was written that is kept

// begin goes back to the beginning of the archive.
func (o openedBundle) begin() error {
	_, err := o.archive.Seek(0, io.SeekStart)
	return err
}

// read is the bundle with the contents of the files that want asks for.
func (o openedBundle) read(want func(bundle.File) bool) (bundle.Read, error) {
	if err := o.begin(); err != nil {
		return bundle.Read{}, err
	}
	contents, err := o.Contents(o.archive, want)
	if err != nil {
		return bundle.Read{}, bundleError(o.name, err)
	}
	return bundle.Read{Bundle: o.Bundle, Contents: contents}, nil
}

// readBoth is read of two.
func readBoth(a, b openedBundle, want func(bundle.File) bool) (x, y bundle.Read, err error) {
	if x, err = a.read(want); err == nil {
		y, err = b.read(want)
	}
	return x, y, err
}

// openBundle opens the bundle that an argument names: a folder, or a release in a store.
func openBundle(ctx context.Context, what, storeDir string) (openedBundle, error) {
	if !bundle.IsRelease(what) {
		o, err := packFolder(ctx, what)
		if err != nil {
			return o, bundleError(what, err)
		}
		return o, nil
	}
	if storeDir == "" {
		return openedBundle{}, usagef("%s is in a store: name it with --store FOLDER, or in SLUICE_STORE", what)
	}
	o, err := openKept(ctx, what, storeDir)
	if err != nil {
		return o, bundleError(what, err)
	}
	return o, nil
}

// openKept opens a release in a store.
func openKept(ctx context.Context, release, storeDir string) (openedBundle, error) {
	kept, err := openStore(storeDir)
	if err != nil {
		return openedBundle{}, err
	}
	b, err := kept.Get(ctx, release)
	if err != nil {
		return openedBundle{}, err
	}
	archive, err := kept.Open(ctx, b)
	if err != nil {
		return openedBundle{}, err
	}
	file, ok := archive.(io.ReadSeekCloser)
	if !ok { // the store is a folder
		return openedBundle{}, errors.Join(fmt.Errorf("%s cannot be read twice", release), archive.Close())
	}
	return openedBundle{b, release, file}, nil
}

// packFolder builds a folder's bundle into a file that is gone once it is closed.
func packFolder(ctx context.Context, dir string) (openedBundle, error) {
	archive, err := os.CreateTemp("", "sluice-bundle-")
	if err != nil {
		return openedBundle{}, err
	}
	if err := os.Remove(archive.Name()); err != nil {
		return openedBundle{}, errors.Join(err, archive.Close())
	}
	b, err := bundle.Build(ctx, dir, archive)
	if err != nil {
		return openedBundle{}, errors.Join(err, archive.Close())
	}
	return openedBundle{b, dir, archive}, nil
}
