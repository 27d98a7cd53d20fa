package spec

import (
	_ "embed"
	"slices"
)

//go:generate go test ../catalog -run TestSchema -update

//go:embed spec.schema.json
var schema []byte

// Schema is the JSON Schema of a spec, generated from its types and the
// catalog of this build, by which editors complete and check one. It knows the form of a spec and not
// everything that Parse does.
func Schema() []byte { return slices.Clone(schema) }
