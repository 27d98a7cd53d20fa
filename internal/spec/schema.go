package spec

import (
	_ "embed"
	"slices"
)

//go:generate go test -run TestSchema -update .

//go:embed spec.schema.json
var schema []byte

// Schema is the JSON Schema of a spec, generated from the types of this package,
// by which editors complete and check one. It knows the form of a spec and not
// everything that Parse does.
func Schema() []byte { return slices.Clone(schema) }
