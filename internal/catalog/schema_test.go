package catalog_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/spec"
)

var update = flag.Bool("update", false, "rewrite the schema")

// TestSchema compares the committed schema with the one that the types and the catalog give.
func TestSchema(t *testing.T) {
	got := schema(t, catalog.New().Kinds())
	if *update {
		require.NoError(t, os.WriteFile("../spec/spec.schema.json", got, 0o644))
		return
	}
	require.Equal(t, string(got), string(spec.Schema()), "the types changed: run go generate ./internal/spec")
}

// schema is the JSON Schema of a spec whose open places hold kinds.
func schema(t *testing.T, kinds spec.Kinds) []byte {
	t.Helper()
	r := jsonschema.Reflector{FieldNameTag: "yaml", Mapper: scalar}
	for _, room := range []string{"../spec", "../driver", "../health", "../health/source/scrape", "../health/source/prometheus", "../dial"} {
		require.NoError(t, r.AddGoComments("github.com/sluicehq/sluice/internal/catalog", room))
	}
	s := r.Reflect(&spec.Spec{})
	s.ID = "https://github.com/sluicehq/sluice/internal/spec/spec.schema.json"
	s.Title = "A rollout of Sluice"
	for _, k := range kinds.Drivers {
		addKind(&r, s, "Driver", k.Name, k.New())
	}
	for _, k := range kinds.Sources {
		addKind(&r, s, "Health", k.Name, k.New())
	}
	for _, k := range kinds.Forms {
		addKind(&r, s, "Check", k.Name, k.New())
	}
	one := uint64(1)
	driver := s.Definitions["Driver"]
	driver.MinProperties, driver.MaxProperties = &one, &one
	for _, holder := range []string{"Spec", "Part"} {
		release, _ := s.Definitions[holder].Properties.Get("release")
		release.Type, release.Extras = "", map[string]any{"type": []string{"string", "number"}}
	}
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

// addKind adds the settings of a kind to the type that holds it.
func addKind(r *jsonschema.Reflector, s *jsonschema.Schema, holder, name string, settings any) {
	own := r.Reflect(settings)
	if goType := reflect.TypeOf(settings).Elem(); own.Ref == "" { // no struct
		s.Definitions[holder].Properties.Set(name, &jsonschema.Schema{Type: own.Type, Description: r.CommentMap[goType.PkgPath()+"."+goType.Name()]})
		return
	}
	if _, taken := s.Definitions[strings.TrimPrefix(own.Ref, "#/$defs/")]; taken {
		panic("two types are called " + own.Ref)
	}
	maps.Copy(s.Definitions, own.Definitions)
	s.Definitions[holder].Properties.Set(name, &jsonschema.Schema{Ref: own.Ref})
}

// scalar gives the types with a text form of their own their patterns.
func scalar(t reflect.Type) *jsonschema.Schema {
	percent := &jsonschema.Schema{Type: "string", Pattern: `^[0-9.]+ *%$`}
	switch t {
	case reflect.TypeFor[spec.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`, Examples: []any{"90s", "1h30m"}}
	case reflect.TypeFor[spec.Size]():
		return &jsonschema.Schema{Type: "string", Pattern: `^[0-9.]+ *([KMG]i?)?B$`, Examples: []any{"64KB", "1MiB"}}
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
