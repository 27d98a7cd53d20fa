package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/registry"
	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/terminal"
)

// accessFlags say how registries are reached.
func accessFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "registry-user", EnvVars: []string{"SLUICE_REGISTRY_USER"},
			Usage: "`NAME` of who asks a registry; without it, as docker login has it",
		},
		&cli.StringFlag{
			Name: "registry-password", EnvVars: []string{"SLUICE_REGISTRY_PASSWORD"},
			Usage: "`REFERENCE` to the password or token: ${env:NAME} or file:/path",
		},
		&cli.BoolFlag{
			Name: "plain-http", EnvVars: []string{"SLUICE_PLAIN_HTTP"}, DisableDefaultText: true,
			Usage: "speak HTTP with a registry that is not on this machine",
		},
	}
}

// accessOf is how a command reaches registries.
func accessOf(c *cli.Context) registry.Access {
	return registry.Access{PlainHTTP: c.Bool("plain-http"), User: c.String("registry-user"), Password: c.String("registry-password")}
}

// registryError is the exit of a command that has not brought a bundle.
func registryError(err error) error {
	if errors.Is(err, registry.ErrTrouble) {
		return err
	}
	return invalidf("%w", err)
}

// moved is a bundle that was pushed or pulled.
type moved struct {
	Digest     string `json:"digest"`
	Reference  string `json:"reference"`
	Signatures int    `json:"signatures"`
}

func bundlePushCommand() command {
	return command{
		name: "bundle push", arg: "DIGEST REF",
		short: "bring a bundle from a store to a registry",
		long: `Brings a bundle, with its signatures, to REF: HOST[:PORT]/REPOSITORY of an OCI registry,
or oci:FOLDER. Prints the reference by which a spec (bundle: REFERENCE) and bundle pull
find it again. It gets no tag: have the registry keep manifests without one.`,
		example: "sluice bundle push sha256:1f2a… registry.example/team/features --store .sluice/store",
		flags:   append(accessFlags(), storeFlag("of the content store that has it")),
		run: func(ctx context.Context, con *console, c *cli.Context) error {
			what := c.Args().First()
			if !bundle.IsRelease(what) {
				return usagef("%.80q is not the name of a bundle, expected sha256: and 64 hex digits, as bundle build prints it", what)
			}
			to, err := registry.Parse(c.Args().Get(1))
			if err != nil {
				return usagef("REF %w", err)
			}
			if to.Manifest != "" {
				return usagef("REF has a digest, which the bundle has already: expected %s", terminal.Safe(to.Place()))
			}
			b, kept, err := findBundle(ctx, what, c.String("store"))
			if err != nil {
				return err
			}
			to, n, err := accessOf(c).Push(ctx, to, kept, b, signature.MediaType)
			if err != nil {
				return registryError(err)
			}
			return con.answer(moved{Digest: b.Release(), Reference: to.String(), Signatures: n}, []string{to.String()})
		},
	}
}

func bundlePullCommand() command {
	return command{
		name: "bundle pull", arg: "REF",
		short: "bring a bundle from a registry into a store",
		long: `Brings the bundle HOST[:PORT]/REPOSITORY@sha256:… or oci:FOLDER@sha256:…, with its
signatures, into a store, and prints its name. Everything is verified before it is kept.
A spec with bundle: REFERENCE needs no such step: start pulls the bundle itself.`,
		example: "sluice bundle pull registry.example/team/features@sha256:9c41… --store .sluice/store",
		flags:   append(accessFlags(), storeFlag("of the content store that keeps it")),
		run: func(ctx context.Context, con *console, c *cli.Context) error {
			from, err := registry.Parse(c.Args().First())
			if err != nil {
				return usagef("REF %w", err)
			}
			if c.String("store") == "" {
				return usagef("bundle pull keeps the bundle in a store: name it with --store FOLDER, or in SLUICE_STORE")
			}
			kept, err := openStore(c.String("store"))
			if err != nil {
				return err
			}
			b, n, err := accessOf(c).Pull(ctx, from, kept, signature.MediaType)
			if err != nil {
				return registryError(err)
			}
			return con.answer(moved{Digest: b.Release(), Reference: from.String(), Signatures: n}, []string{b.Release()})
		},
	}
}
