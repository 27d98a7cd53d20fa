package agent

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/secret"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// keys checks references to public keys.
func (v checker) keys(path string, refs []string, example string) {
	if len(refs) == 0 || len(refs) > signature.MaxKeys {
		v.bad(path, "are %d, expected one or two, such as %s", len(refs), example)
	}
	for i, ref := range refs {
		v.reference(strictyaml.Index(path, i), ref)
	}
}

// readKeys reads public keys, which stand in the settings at a path.
func readKeys(path string, refs []string) ([]signature.Key, error) {
	var keys []signature.Key
	for i, ref := range refs {
		text, err := secret.Resolve(ref)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", path, i, err)
		}
		k, err := signature.ParseKey(text.Reveal())
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", path, i, err)
		}
		for _, other := range keys {
			if other.ID() == k.ID() {
				return nil, fmt.Errorf("%s[%d]: %s is there twice", path, i, k.ID())
			}
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// trust answers nil where a release may be unpacked for the unit: no signature is asked for, or it
// has been in effect here, or one of the keys has signed it. A signature that came with it is kept,
// so that no order needs another. Otherwise the error is signature.ErrUnsigned, and nothing was
// written.
func (u *unit) trust(release string, came [][]byte) error {
	s := u.seen().state
	if len(u.keys) == 0 || release == "" || s.ran(release) {
		return nil
	}
	if kept := s.signatureOf(release); kept != nil {
		if _, err := signature.Verify(u.name, release, kept, u.keys); err == nil {
			return nil // the keys may be others since it came
		}
	}
	reason := errors.New("no signature has come")
	for _, one := range came {
		_, err := signature.Verify(u.name, release, one, u.keys)
		if err == nil {
			return u.update(func(s State) (State, error) { return s.signed(release, one, u.keep), nil })
		}
		reason = err
	}
	var ids []string
	for _, k := range u.keys {
		ids = append(ids, k.ID())
	}
	return fmt.Errorf("%w for the unit %s by key %s: %w: sluice bundle sign DIGEST --unit %s --key FILE --store FOLDER, then start again",
		signature.ErrUnsigned, u.name, strings.Join(ids, " or "), reason, u.name)
}

// admit answers nil where a unit takes a release with the signatures that came with it.
func (a *Agent) admit(release string, came [][]byte) error {
	var last error
	taken := false
	for _, u := range a.units {
		switch err := u.trust(release, came); {
		case err == nil:
			taken = true
		case errors.Is(err, signature.ErrUnsigned):
			last = err
		default:
			return err
		}
	}
	if taken {
		return nil
	}
	return last
}
