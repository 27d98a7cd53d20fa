package spec_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/invopop/jsonschema"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

var update = flag.Bool("update", false, "rewrite the schema and the golden files")

// TestSchema compares the committed schema with the one that the types give.
func TestSchema(t *testing.T) {
	got := generate(t)
	if *update {
		require.NoError(t, os.WriteFile("spec.schema.json", got, 0o644))
		return
	}
	require.Equal(t, string(got), string(spec.Schema()), "the types changed: run go generate ./internal/spec")
}

func generate(t *testing.T) []byte {
	t.Helper()
	r := jsonschema.Reflector{FieldNameTag: "yaml", Mapper: scalar}
	require.NoError(t, r.AddGoComments("github.com/sluicehq/sluice/internal/spec", "."))
	s := r.Reflect(&spec.Spec{})
	s.ID = "https://github.com/sluicehq/sluice/internal/spec/spec.schema.json"
	s.Title = "A rollout of Sluice"
	one := uint64(1)
	driver := s.Definitions["Driver"]
	driver.MinProperties, driver.MaxProperties = &one, &one
	release, _ := s.Definitions["Spec"].Properties.Get("release")
	release.Type, release.Extras = "", map[string]any{"type": []string{"string", "number"}}
	short := func(name string, form *jsonschema.Schema) { // a type that has a short form, too
		long := s.Definitions[name]
		s.Definitions[name] = &jsonschema.Schema{Description: long.Description, OneOf: []*jsonschema.Schema{form, long}}
		long.Description = ""
	}
	short("Fallback", &jsonschema.Schema{Type: "string", Enum: []any{spec.FallbackRemove}})
	short("BakeTime", scalar(reflect.TypeFor[spec.Duration]()))
	short("FleetSource", &jsonschema.Schema{Type: "string", MinLength: &one})

	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	require.NoError(t, enc.Encode(s))
	return out.Bytes()
}

// scalar gives the types with a text form of their own their patterns.
func scalar(t reflect.Type) *jsonschema.Schema {
	percent := &jsonschema.Schema{Type: "string", Pattern: `^[0-9.]+ *%$`}
	switch t {
	case reflect.TypeFor[spec.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`, Examples: []any{"90s", "1h30m"}}
	case reflect.TypeFor[spec.Number]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "number"}, {Type: "string", Pattern: `^-?[0-9.]+ *%$`}}, Examples: []any{0.4, "20%"}}
	case reflect.TypeFor[spec.Ratio]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "number"}, {Type: "string", Pattern: `^[0-9.]+ *x$`}}, Examples: []any{"2x"}}
	case reflect.TypeFor[spec.Latency]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{scalar(reflect.TypeFor[spec.Duration]()), {Type: "number"}}, Examples: []any{"250ms", 0.25}}
	case reflect.TypeFor[spec.Reach]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{percent, {Type: "integer", Minimum: "1"}}, Examples: []any{"5%", 12}}
	case reflect.TypeFor[spec.Allowance]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{percent, {Type: "integer", Minimum: "0"}}, Examples: []any{"2%", 3}}
	default:
		return nil
	}
}
