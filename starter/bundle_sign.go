package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/secret"
)

// maxKeyFile bounds a file of minisign, in bytes.
const maxKeyFile = 4 << 10

func bundleSignCommand() command {
	return command{
		name: "bundle sign", arg: "DIGEST",
		short: "sign a bundle in a store for a unit, with a key of minisign",
		long: `Signs the text of three lines, "sluice bundle v1", "unit: UNIT" and "release: DIGEST", and
keeps the signature next to the bundle: bundle push and pull take it along. --key is a
file as minisign -G writes it. Its password is asked for on a terminal. --signature
takes one that minisign has made over that text elsewhere.`,
		example: "sluice bundle sign sha256:1f2a… --unit features --key minisign.key --store .sluice/store",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "unit", Usage: "`UNIT` that the release is for"},
			&cli.StringFlag{Name: "key", Usage: "`FILE` of the private key"},
			&cli.StringFlag{
				Name: "key-password", EnvVars: []string{"SLUICE_KEY_PASSWORD"},
				Usage: "`REFERENCE` to the key's password: ${env:NAME} or file:/path",
			},
			&cli.StringFlag{Name: "signature", Usage: "`FILE` of a signature, in place of --key"},
			storeFlag("of the content store that has it"),
		},
		run: func(ctx context.Context, con *console, c *cli.Context) error {
			what, unit := c.Args().First(), c.String("unit")
			if _, err := signature.Text(unit, what); err != nil {
				return usagef("bundle sign: %w", err)
			}
			if (c.String("key") == "") == (c.String("signature") == "") {
				return usagef("bundle sign needs one of --key FILE and --signature FILE")
			}
			b, kept, err := findBundle(ctx, what, c.String("store"))
			if err != nil {
				return err
			}
			data, err := con.signature(c, unit, what)
			if err != nil {
				return err
			}
			id, err := signature.KeyID(data)
			if err != nil {
				return invalidf("%s: %w", c.String("signature"), err)
			}
			if err := kept.Attach(ctx, b, bundle.Attachment{Type: signature.MediaType, Data: data}); err != nil {
				return invalidf("keep the signature: %w", err)
			}
			return con.answer(map[string]string{"digest": what, "unit": unit, "key": id}, []string{"signed: unit " + unit + ", by key " + id})
		},
	}
}

// signature makes the signature, or reads it.
func (c *console) signature(flags *cli.Context, unit, release string) ([]byte, error) {
	if path := flags.String("signature"); path != "" {
		return readFile(path, maxKeyFile)
	}
	path := flags.String("key")
	file, err := readFile(path, maxKeyFile)
	if err != nil {
		return nil, err
	}
	password := ""
	if signature.IsEncrypted(file) {
		if password, err = c.password(flags.String("key-password"), path); err != nil {
			return nil, err
		}
	}
	s, err := signature.ParseSigner(file, password)
	if err != nil {
		return nil, invalidf("--key %s: %w", path, err)
	}
	return s.Sign(unit, release)
}

// password looks a key's password up, or asks for it on a terminal.
func (c *console) password(reference, path string) (string, error) {
	if reference != "" {
		s, err := secret.Resolve(reference)
		if err != nil {
			return "", invalidf("--key-password: %w", err)
		}
		return s.Reveal(), nil
	}
	f, ok := c.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", usagef("the key %s has a password: give it with --key-password ${env:NAME} or file:/path", path)
	}
	c.say("password of %s:", path)
	typed, err := term.ReadPassword(int(f.Fd()))
	if err != nil {
		return "", invalidf("read the password: %w", err)
	}
	return string(typed), nil
}

// signedBy is the key, of those that are asked for, that has signed a bundle for a unit; empty
// where none is asked for.
func signedBy(ctx context.Context, kept bundle.Kept, b bundle.Bundle, unit string, keys []string) (string, error) {
	if unit == "" && len(keys) == 0 {
		return "", nil
	}
	if unit == "" || len(keys) == 0 {
		return "", usagef("bundle verify: --unit and --public-key go together: a signature is for one unit")
	}
	parsed, err := publicKeys(keys)
	if err != nil {
		return "", err
	}
	attached, err := kept.Attached(ctx, b, signature.MediaType)
	if err != nil {
		return "", err
	}
	why := errors.New("there is no signature: sign it with bundle sign, or pull it with its signatures")
	for _, one := range attached {
		by, err := signature.Verify(unit, b.Release(), one.Data, parsed)
		if err == nil {
			return by.ID(), nil
		}
		why = err
	}
	return "", invalidf("%s is not signed for unit %s by the keys given: %w", b.Release(), unit, why)
}

// publicKeys reads keys, or the files that have them.
func publicKeys(texts []string) ([]signature.Key, error) {
	var keys []signature.Key
	for _, text := range texts {
		key, err := signature.ParseKey(text)
		if err != nil && !strings.HasPrefix(text, "RW") {
			data, readErr := readFile(text, maxKeyFile)
			if readErr != nil {
				return nil, readErr
			}
			key, err = signature.ParseKey(string(data))
		}
		if err != nil {
			return nil, invalidf("--public-key %.100s: %w", text, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
