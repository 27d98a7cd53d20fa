package fleet

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// MaxBytes bounds a fleet file: about six times what 100,000 targets with a few labels take.
const MaxBytes = 64 << 20

var (
	idForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}$`)
	labelForm = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.:/-]*$`)
)

// maxAddress and maxLabel bound an address and a label's value, in bytes. Both end up in requests
// and queries.
const (
	maxAddress = 1024
	maxLabel   = 256
)

// Document is a fleet together with the file that it was read from.
type Document struct {
	// Fleet is valid, and sorted by id.
	Fleet Fleet
	yaml  *strictyaml.Document
	place map[string]int // of each id in the file
}

// Problem is a problem with a field of a target, such as "address", placed in the file. It is for
// what only shows outside of it, such as an address that does not suit a spec.
func (d *Document) Problem(id, field, message string) strictyaml.Problem {
	return d.yaml.Problem(strictyaml.Index("targets", d.place[id])+"."+field, message)
}

// Parse reads and validates a fleet file, in YAML or JSON. Its targets come out sorted by id. The
// error is a strictyaml.Problems with everything that is wrong, in the order of lines; file is how
// it names the file.
func Parse(file string, data []byte) (Fleet, error) {
	doc, err := ParseDocument(file, data)
	if err != nil {
		return Fleet{}, err
	}
	return doc.Fleet, nil
}

// ParseDocument is Parse for who has more to say about the file.
func ParseDocument(file string, data []byte) (*Document, error) {
	var f Fleet
	doc := strictyaml.Decode(file, data, MaxBytes, nil, &f)
	if doc.Readable() {
		validate(doc, f)
	}
	if err := doc.Problems().Err(); err != nil {
		return nil, err
	}
	place := make(map[string]int, len(f.Targets))
	for i, t := range f.Targets {
		place[t.ID] = i
	}
	slices.SortFunc(f.Targets, func(a, b Target) int { return strings.Compare(a.ID, b.ID) })
	return &Document{Fleet: f, yaml: doc, place: place}, nil
}

func validate(doc *strictyaml.Document, f Fleet) {
	if len(f.Targets) == 0 {
		doc.Add("targets", "the fleet is empty, expected at least one target, such as {id: web-1, address: \"10.0.0.1:8080\"}")
		return
	}
	first := make(map[string]int, len(f.Targets))
	for i, t := range f.Targets {
		add := func(field, message string) {
			doc.Add(strictyaml.Index("targets", i)+field, message)
		}
		if message := checkID(t.ID); message != "" {
			add(".id", message)
		} else if before, ok := first[t.ID]; ok {
			line, column := doc.Position(strictyaml.Index("targets", before) + ".id")
			add(".id", fmt.Sprintf("%s is the id of the target at %d:%d too, expected every target once", strictyaml.Quote(t.ID), line, column))
		} else {
			first[t.ID] = i
		}
		if message := checkAddress(t.Address); message != "" {
			add(".address", message)
		}
		for name, value := range t.Labels {
			if message := checkLabel(name, value); message != "" {
				add(strictyaml.Field(".labels", name), message)
			}
		}
	}
}

func checkID(id string) string {
	switch {
	case id == "":
		return "is required"
	case !idForm.MatchString(id):
		return strictyaml.Quote(id) + " is not an id, expected 1 to 128 letters, digits, '.', '_', ':', '@', '/' and '-', " +
			"beginning with a letter or a digit"
	}
	return ""
}

// checkAddress answers what is wrong with an address. It never repeats one that may hold a
// password.
func checkAddress(address string) string {
	const expected = ", expected host:port, or host:port/path"
	switch {
	case address == "":
		return "is required" + expected
	case len(address) > maxAddress:
		return fmt.Sprintf("has %d bytes%s in at most %d", len(address), expected, maxAddress)
	case strings.Contains(address, "@"):
		return "has a user or a password before an '@'" + expected + " without: a fleet file never holds a secret"
	case strings.HasPrefix(address, "-"):
		return strictyaml.Quote(address) + " begins with '-'" + expected
	case strings.Contains(address, "://"):
		return strictyaml.Quote(address) + " is a URL" + expected + "; the scheme belongs to the spec"
	case strings.ContainsFunc(address, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }),
		strings.ContainsAny(address, `?#\"<>{}`):
		return strictyaml.Quote(address) + " is not an address" + expected
	}
	return ""
}

func checkLabel(name, value string) string {
	switch {
	case !labelForm.MatchString(name):
		return strictyaml.Quote(name) + " is not a label, expected letters, digits, '_', '.', ':', '/' and '-', beginning with a letter or '_'"
	case len(value) > maxLabel:
		return fmt.Sprintf("has %d bytes, expected at most %d", len(value), maxLabel)
	case strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }):
		return strictyaml.Quote(value) + " holds a character that cannot be shown, expected printable text"
	}
	return ""
}
