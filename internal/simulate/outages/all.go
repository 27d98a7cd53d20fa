package outages

import (
	"embed"
	"fmt"
	"path"
	"slices"
)

//go:embed data/*.yaml
var data embed.FS

//go:generate go test -run TestSchema -update
//go:embed outage.schema.json
var schema []byte

// Schema is the JSON Schema of a file.
func Schema() []byte { return slices.Clone(schema) }

// All are the outages that Sluice brings along, and the good changes beside troubles that are not
// theirs, by name.
func All() ([]Outage, error) {
	files, err := data.ReadDir("data")
	if err != nil {
		return nil, err
	}
	var all []Outage
	for _, f := range files {
		text, err := data.ReadFile(path.Join("data", f.Name()))
		if err != nil {
			return nil, err
		}
		o, err := Parse(f.Name(), text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		all = append(all, o)
	}
	return all, nil
}
