package spec

import (
	_ "embed"
	"slices"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// MaxBytes bounds a spec's file. A long one has a few kilobytes.
const MaxBytes = 1 << 20

// Document is a spec together with the file that it was read from.
type Document struct {
	// Spec is valid and has every default filled in.
	Spec Spec
	yaml *strictyaml.Document
}

// Problem is a problem with the value at a path such as "stages[2].reach", placed in the file; for
// one that is not there, where it would belong. It is for what only shows outside of the spec, such
// as a stage that does not fit the fleet.
func (d *Document) Problem(path, message string) strictyaml.Problem {
	return d.yaml.Problem(path, message)
}

// Parse reads and validates a spec and fills in its defaults. File is how problems name it. The
// error is a strictyaml.Problems with everything that is wrong, in the order of lines. Kinds are
// what its open places can hold. Parse reads nothing but data.
func Parse(file string, data []byte, kinds Kinds) (*Document, error) {
	doc := &Document{}
	doc.yaml = strictyaml.Decode(file, data, MaxBytes, kinds.open(), &doc.Spec)
	if doc.yaml.Readable() {
		v := validator{Section: Section{doc: doc.yaml}, spec: &doc.Spec, kinds: kinds}
		v.run()
	}
	if err := doc.yaml.Problems().Err(); err != nil {
		return nil, err
	}
	fillDefaults(&doc.Spec, kinds)
	fillForms(doc.yaml, kinds, &doc.Spec.Health)
	return doc, nil
}

//go:generate go test ../catalog -run TestSchema -update

//go:embed spec.schema.json
var schema []byte

// Schema is the JSON Schema of a spec, generated from its types and the catalog of this build, by
// which editors complete and check one. It knows the form of a spec and not everything that Parse
// does.
func Schema() []byte { return slices.Clone(schema) }
