// Package signature says who stands behind a release of a unit. A digest says that files are the
// right ones; a signature says that somebody with a key wanted them for this unit.
//
// Signatures are minisign's, over a text that names the unit and the release: the tool of that name
// makes and checks them, too.
package signature

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"aead.dev/minisign"

	"github.com/sluicehq/sluice/internal/bundle"
)

// MediaType is that of a signature next to a bundle.
const MediaType = "application/vnd.sluice.signature.v1+minisign"

// Header has a signature of a bundle that is uploaded, in base64; there may be more than one.
const Header = "Sluice-Signature"

// MaxKeys is how many keys are good at a time: the old one and the new one.
const MaxKeys = 2

// maxSize bounds a signature, a key and their comments, in bytes.
const maxSize = 4 << 10

// ErrUnsigned is matched by every error that says that a signature is not what was asked for.
var ErrUnsigned = errors.New("not signed")

var unitForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// Text is what a signature is over: three lines, each with its end.
func Text(unit, release string) ([]byte, error) {
	if !unitForm.MatchString(unit) {
		return nil, fmt.Errorf("%.100q is not a unit, "+
			"expected 1 to 64 lower-case letters, digits, '.', '_' and '-', beginning with a letter or a digit", unit)
	}
	if !bundle.IsRelease(release) {
		return nil, fmt.Errorf("%.100q is not the name of a bundle, expected sha256: and 64 hex digits", release)
	}
	return fmt.Appendf(nil, "sluice bundle v1\nunit: %s\nrelease: %s\n", unit, release), nil
}

// Key is a public key. The zero value verifies nothing.
type Key struct{ public minisign.PublicKey }

// ParseKey reads a public key: the line that begins with RW, or the whole file that minisign
// writes.
func ParseKey(text string) (Key, error) {
	var k Key
	if text = strings.TrimSpace(text); len(text) > maxSize {
		return k, fmt.Errorf("a public key has at most %d bytes", maxSize)
	}
	if err := k.public.UnmarshalText([]byte(text)); err != nil {
		return Key{}, errors.New("not a minisign public key, expected the line that begins with RW, or the file with it")
	}
	return k, nil
}

// ID is the key's name, as minisign prints it.
func (k Key) ID() string { return fmt.Sprintf("%016X", k.public.ID()) }

// String is the key as ParseKey reads it.
func (k Key) String() string { return k.public.String() }

// Verify answers the key, of one or two, by which a signature stands for a release of a unit, or
// says why it does not.
func Verify(unit, release string, signature []byte, keys []Key) (Key, error) {
	text, err := Text(unit, release)
	if err != nil {
		return Key{}, err
	}
	return VerifyText(fmt.Sprintf("release %s of unit %s", release, unit), text, signature, keys)
}

// VerifyText is Verify for a text of another kind, which is named in errors; it answers whose
// signature it is. What is signed says in its first line of which kind it is.
func VerifyText(named string, text, signature []byte, keys []Key) (Key, error) {
	if len(keys) == 0 || len(keys) > MaxKeys {
		return Key{}, fmt.Errorf("%d public keys, expected one or two", len(keys))
	}
	claimed, err := KeyID(signature)
	if err != nil {
		return Key{}, err
	}
	var names []string
	for _, k := range keys {
		if k.public.Equal(minisign.PublicKey{}) { // a point of small order, for which anybody can sign
			return Key{}, errors.New("an empty public key")
		}
		if minisign.Verify(k.public, text, signature) {
			return k, nil
		}
		if k.ID() == claimed {
			return Key{}, fmt.Errorf("%w: the signature by key %s is not over %s", ErrUnsigned, k.ID(), named)
		}
		names = append(names, k.ID())
	}
	return Key{}, fmt.Errorf("%w: the signature is by key %s, expected %s", ErrUnsigned, claimed, strings.Join(names, " or "))
}

// maxCarried bounds the signatures that go with a bundle, in bytes: they are in headers, too.
const maxCarried = 8 << 10

// Candidates are those of what is attached to a bundle that may be signatures for a unit, the
// newest first and of at most 8 KiB together. One whose comment says that it is for another unit is
// left out; all else says Verify.
func Candidates(unit string, attached []bundle.Attachment) (out [][]byte) {
	left := maxCarried
	for _, one := range slices.Backward(attached) {
		var s minisign.Signature
		if s.UnmarshalText(one.Data) != nil {
			continue
		}
		other, ok := strings.CutPrefix(s.TrustedComment, "unit: ")
		other, _, _ = strings.Cut(other, " ")
		if left -= len(one.Data); ok && other != unit || left < 0 {
			left += len(one.Data)
			continue
		}
		out = append(out, one.Data)
	}
	return out
}

// KeyID is the name of the key that a signature says it is by. That proves nothing.
func KeyID(signature []byte) (string, error) {
	var s minisign.Signature
	if len(signature) > maxSize || s.UnmarshalText(signature) != nil {
		return "", fmt.Errorf("%w: it is not a signature of minisign", ErrUnsigned)
	}
	return fmt.Sprintf("%016X", s.KeyID), nil
}

// Signer is a private key.
type Signer struct{ private minisign.PrivateKey }

// Generate makes a key and its file, without a password, for the lab and for tests: people have
// theirs from minisign -G.
func Generate() (s Signer, file []byte, err error) {
	if _, s.private, err = minisign.GenerateKey(nil); err == nil {
		file, err = s.private.MarshalText()
	}
	return s, file, err
}

// IsEncrypted says whether the file of a private key wants a password.
func IsEncrypted(file []byte) bool { return minisign.IsEncrypted(file) }

// ParseSigner reads the file of a private key, with its password where it wants one. Its errors do
// not repeat the file.
func ParseSigner(file []byte, password string) (Signer, error) {
	var s Signer
	var err error
	if IsEncrypted(file) {
		if s.private, err = minisign.DecryptKey(password, file); err != nil {
			return Signer{}, errors.New("the password is wrong, or the file is damaged")
		}
		return s, nil
	}
	if err = s.private.UnmarshalText(file); err != nil {
		return Signer{}, errors.New("not the file of a minisign private key, as minisign -G writes it")
	}
	return s, nil
}

// Key is the public key that verifies what the signer signs.
func (s Signer) Key() Key {
	public, _ := s.private.Public().(minisign.PublicKey) // never another type
	return Key{public: public}
}

// Sign signs a release of a unit: always the same bytes for the same key.
func (s Signer) Sign(unit, release string) ([]byte, error) {
	text, err := Text(unit, release)
	if err != nil {
		return nil, err
	}
	return s.SignText(text, "unit: "+unit+" release: "+release, "signature of a sluice bundle by key "+s.Key().ID())
}

// SignText signs a text of another kind, with a comment that is signed, too, and one that is not.
func (s Signer) SignText(text []byte, trusted, untrusted string) ([]byte, error) {
	r := minisign.NewReader(bytes.NewReader(text)) // hashes the text first, as minisign does by default
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, err
	}
	return r.SignWithComments(s.private, trusted, untrusted), nil
}
