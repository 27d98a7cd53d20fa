// Package order is what a worker tells targets that it cannot reach: signed documents, which
// anybody may carry and nobody can change. What carries them needs no trust: it can withhold an
// order, and no longer than the order is good.
//
// A document is two lines, and a signature of minisign's over both, each with its end:
//
//	sluice order v1
//	{"unit":"features","cohort":"eu","selector":["web-1"],"step":"apply","release":"sha256:…","fence":12,"notAfter":"…","keyId":"…"}
//	untrusted comment: …
//
// The second line is JSON in canonical form: one line, in the order of the type's fields.
package order

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/signature"
)

// MaxSize bounds a document, in bytes.
const MaxSize = 64 << 10

// DefaultCohort is the cohort of who names none.
const DefaultCohort = "default"

// AgeHeader is how a relay says how long ago a report came, in seconds.
const AgeHeader = "Sluice-Age"

// kind begins every document.
const kind = "sluice order v1"

// Step is what is to be done about a release.
type Step string

// The steps are those of the agent driver.
const (
	Prepare Step = "prepare"
	Apply   Step = "apply"
	Settle  Step = "settle"
)

// Document is one order.
type Document struct {
	Unit string `json:"unit"`
	// Cohort is the group of targets in which ids are unique.
	Cohort string `json:"cohort"`
	// Selector are the ids of the targets that are meant.
	Selector []string `json:"selector"`
	Step     Step     `json:"step"`
	// Release is a bundle's name; empty to remove the unit.
	Release string `json:"release"`
	Fence   int64  `json:"fence"`
	// Back says that the release is put back; only of Apply.
	Back bool `json:"back,omitempty"`
	// Signatures are those of the bundle: one of them must be by a key that the agent asks for, if
	// it asks for any.
	Signatures [][]byte `json:"signatures,omitempty"`
	// NotAfter is when the order ends to be good, in milliseconds and UTC.
	NotAfter time.Time `json:"notAfter"`
	// KeyID names the key by which it is signed.
	KeyID string `json:"keyId"`
}

// ErrInvalid is matched by the error of what is no document.
var ErrInvalid = errors.New("not an order")

var (
	nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	idForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@-]{0,252}$`)
)

// IsName says whether a word can be a unit or a cohort.
func IsName(word string) bool { return nameForm.MatchString(word) }

// IsID says whether a word can be the id of a target that takes orders.
func IsID(word string) bool { return idForm.MatchString(word) }

// Sign makes the document of an order: always the same bytes for the same key.
func (d Document) Sign(by signature.Signer) ([]byte, error) {
	d.KeyID, d.NotAfter = by.Key().ID(), d.NotAfter.UTC().Truncate(time.Millisecond)
	if err := d.check(); err != nil {
		return nil, err
	}
	text, err := d.text()
	if err != nil {
		return nil, err
	}
	signed, err := by.SignText(text, fmt.Sprintf("unit: %s fence: %d", d.Unit, d.Fence), "signature of a sluice order by key "+d.KeyID)
	if err != nil {
		return nil, err
	}
	return append(text, signed...), nil
}

// text is what is signed.
func (d Document) text() ([]byte, error) {
	data, err := json.Marshal(d)
	return fmt.Appendf(nil, "%s\n%s\n", kind, data), err
}

// Read reads a document without asking who has signed it.
func Read(data []byte) (Document, error) {
	d, _, _, err := read(data)
	return d, err
}

// Verify reads a document that one of the keys has signed.
func Verify(data []byte, keys []signature.Key) (Document, error) {
	d, text, signed, err := read(data)
	if err != nil {
		return Document{}, err
	}
	key, err := signature.VerifyText("this order", text, signed, keys)
	if err != nil {
		return Document{}, err
	}
	if key.ID() != d.KeyID {
		return Document{}, fmt.Errorf("%w: it names the key %s, and is signed by %s", ErrInvalid, d.KeyID, key.ID())
	}
	return d, nil
}

func read(data []byte) (d Document, text, signed []byte, err error) {
	bad := func(format string, args ...any) (Document, []byte, []byte, error) {
		return Document{}, nil, nil, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
	}
	if len(data) > MaxSize {
		return bad("it has %d bytes, at most %d", len(data), MaxSize)
	}
	lines := bytes.SplitN(data, []byte("\n"), 3)
	if len(lines) != 3 || string(lines[0]) != kind {
		return bad("expected %q in its first line", kind)
	}
	in := json.NewDecoder(bytes.NewReader(lines[1]))
	in.DisallowUnknownFields()
	if err := in.Decode(&d); err != nil {
		return bad("%w", err)
	}
	if err := d.check(); err != nil {
		return Document{}, nil, nil, err
	}
	canonical, err := d.text()
	signed = lines[2]
	if text = data[:len(data)-len(signed)]; err != nil || !bytes.Equal(canonical, text) {
		return bad("it is not in canonical form")
	}
	return d, text, signed, nil
}

// check refuses what no document says.
func (d Document) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
	}
	switch {
	case !IsName(d.Unit):
		return bad("%.100q is not a unit", d.Unit)
	case !IsName(d.Cohort):
		return bad("%.100q is not a cohort", d.Cohort)
	case len(d.Selector) == 0:
		return bad("it selects no target")
	case d.Step != Prepare && d.Step != Apply && d.Step != Settle:
		return bad("the step is %.20q, expected prepare, apply or settle", string(d.Step))
	case d.Release == "" && d.Step == Prepare:
		return bad("it prepares no release")
	case d.Release != "" && !bundle.IsRelease(d.Release):
		return bad("%.100q is not the name of a bundle", d.Release)
	case d.Back && d.Step != Apply:
		return bad("to %s is no way back", d.Step)
	case d.Fence < 0:
		return bad("the fence is %d", d.Fence)
	case d.NotAfter.Year() < 2000 || d.NotAfter.Year() > 9999:
		return bad("it has no end")
	case len(d.KeyID) != 16 || strings.Trim(d.KeyID, "0123456789ABCDEF") != "":
		return bad("%.100q is not the name of a key", d.KeyID)
	}
	if i := slices.IndexFunc(d.Selector, func(id string) bool { return !IsID(id) }); i >= 0 {
		return bad("%.300q is not the id of a target that takes orders", d.Selector[i])
	}
	return nil
}

// Tag names a document by its bytes.
func Tag(document []byte) string { return bundle.Digest(document) }

// Answer is what a target says about the newest document that it was given.
type Answer struct {
	// Document is its Tag.
	Document string `json:"document"`
	// Status is that of the agent's HTTP contract: 204 where the order is carried out.
	Status int `json:"status"`
	// Why is the agent's word where it is not.
	Why string `json:"why,omitempty"`
}
