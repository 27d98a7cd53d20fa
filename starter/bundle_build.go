package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/internal/terminal"
)

// bundleCommands are the commands of bundles.
func bundleCommands() []command {
	return []command{
		bundleBuildCommand(), bundleInspectCommand(), bundleDiffCommand(), bundleVerifyCommand(),
		bundlePushCommand(), bundlePullCommand(), bundleSignCommand(),
	}
}

func bundleBuildCommand() command {
	return command{
		name: "bundle build", arg: "DIR",
		short: "make a folder of files a release, and keep it in a store",
		long: `Prints the name of the release: the digest of the paths, the contents and the executable
bits of the files below DIR. The same files have the same name on every machine. Links,
devices and names that differ in capitals only are refused, each with its place.

A spec with bundle: DIR needs no such step: start builds the bundle itself. Without
--store nothing is kept.`,
		example: "sluice bundle build ./features --store .sluice/store",
		flags:   []cli.Flag{storeFlag("of the content store that keeps it")},
		run: func(ctx context.Context, con *console, c *cli.Context) error {
			dir := c.Args().First()
			b, err := buildBundle(ctx, dir, c.String("store"))
			if err != nil {
				return bundleError(dir, err)
			}
			return con.answer(describeBundle(b), []string{b.Release()})
		},
	}
}

// buildBundle keeps a folder's files in a store; without one it only names them.
func buildBundle(ctx context.Context, dir, storeDir string) (bundle.Bundle, error) {
	if storeDir == "" {
		return bundle.Build(ctx, dir, io.Discard)
	}
	kept, err := openStore(storeDir)
	if err != nil {
		return bundle.Bundle{}, err
	}
	return kept.Build(ctx, dir)
}

// openStore opens the store that --store names.
func openStore(dir string) (bundle.Kept, error) {
	s, err := store.Dir(dir)
	if err != nil {
		return bundle.Kept{}, invalidf("open --store %s: %w", dir, err)
	}
	return bundle.Kept{Store: s}, nil
}

// bundleError is the exit of a command that has no bundle.
func bundleError(what string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return invalidf("%s is not in the store", terminal.Safe(what))
	}
	problems := split(err)
	if strings.HasPrefix(what, "sha256:") {
		return invalidf("%s: %w; the name of a bundle has 64 digits, all of which --output json shows", terminal.Safe(what), pathCause(err))
	}
	if len(problems) == 1 {
		return invalidf("%s: %w", terminal.Safe(what), pathCause(err))
	}
	return invalidf("%s has %s:\n%w", terminal.Safe(what), plural(len(problems), "problem"), err)
}

// bundleView is a bundle for display.
type bundleView struct {
	Digest  string         `json:"digest"`
	Archive bundle.Archive `json:"archive"`
	Bytes   int64          `json:"bytes"`
	Files   []bundle.File  `json:"files"`
	// SignedBy is the id of the key that was asked for and has signed it.
	SignedBy string `json:"signedBy,omitempty"`
}

func describeBundle(b bundle.Bundle) bundleView {
	return bundleView{Digest: b.Release(), Archive: b.Archive, Bytes: b.Size(), Files: b.Files}
}

func bundleInspectCommand() command {
	return command{
		name: "bundle inspect", arg: "DIR|DIGEST",
		short:   "list the files of a bundle",
		long:    `Lists the files of a folder as a bundle would have them, or those of a bundle in a store.`,
		example: "sluice bundle inspect ./features",
		flags:   []cli.Flag{storeFlag("of the content store that has it")},
		run: func(ctx context.Context, con *console, c *cli.Context) error {
			b, _, err := findBundle(ctx, c.Args().First(), c.String("store"))
			if err != nil {
				return err
			}
			rows := make([][]string, 0, len(b.Files))
			for _, f := range b.Files {
				rows = append(rows, []string{f.Mode, fmt.Sprint(f.Size), f.SHA256[:12], terminal.Safe(f.Path)})
			}
			size := fmt.Sprintf("%s, %s bytes", plural(len(b.Files), "file"), humanize.Integer(float64(b.Size())))
			lines := append([]string{b.Release(), size}, columns(rows)...)
			return con.answer(describeBundle(b), lines)
		},
	}
}

// findBundle is the bundle that an argument names: a folder, or a release in a store, with that
// store.
func findBundle(ctx context.Context, what, storeDir string) (bundle.Bundle, bundle.Kept, error) {
	if !bundle.IsRelease(what) {
		b, err := bundle.Build(ctx, what, io.Discard)
		if err != nil {
			return b, bundle.Kept{}, bundleError(what, err)
		}
		return b, bundle.Kept{}, nil
	}
	if storeDir == "" {
		return bundle.Bundle{}, bundle.Kept{}, usagef("%s is in a store: name it with --store FOLDER, or in SLUICE_STORE", what)
	}
	kept, err := openStore(storeDir)
	if err != nil {
		return bundle.Bundle{}, kept, err
	}
	b, err := kept.Get(ctx, what)
	if err != nil {
		return b, kept, bundleError(what, err)
	}
	return b, kept, nil
}

func bundleVerifyCommand() command {
	return command{
		name: "bundle verify", arg: "DIGEST",
		short: "read a bundle in a store to its end, and say whether it is whole",
		long: `Exits with 0 if every byte of the bundle is what its name says, and with 2 otherwise. With
--unit and --public-key also if nobody has signed it for the unit with one of the keys.`,
		example: "sluice bundle verify sha256:1f2a… --store .sluice/store",
		flags: []cli.Flag{
			storeFlag("of the content store that has it"),
			&cli.StringFlag{Name: "unit", Usage: "`UNIT` that it must be signed for"},
			&cli.StringSliceFlag{
				Name:  "public-key",
				Usage: "`KEY` of minisign that it must be signed by, or its file; a second one during a change of keys",
			},
		},
		run: func(ctx context.Context, con *console, c *cli.Context) error {
			what := c.Args().First()
			if !bundle.IsRelease(what) {
				return usagef("%.80q is not the name of a bundle, expected sha256: and 64 hex digits, as bundle build prints it", what)
			}
			b, kept, err := findBundle(ctx, what, c.String("store"))
			if err != nil {
				return err
			}
			if err := kept.Verify(ctx, b); err != nil {
				return bundleError(what, err)
			}
			view := describeBundle(b)
			words := []string{"ok: " + plural(len(b.Files), "file") + ", every byte is what the name says"}
			if view.SignedBy, err = signedBy(ctx, kept, b, c.String("unit"), c.StringSlice("public-key")); err != nil {
				return err
			}
			if view.SignedBy != "" {
				words = append(words, "signed: unit "+c.String("unit")+", by key "+view.SignedBy)
			}
			return con.answer(view, words)
		},
	}
}
