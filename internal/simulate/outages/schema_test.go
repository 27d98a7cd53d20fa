package outages

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

var update = flag.Bool("update", false, "rewrite the schema")

// TestSchema compares the committed schema with the one that the types give.
func TestSchema(t *testing.T) {
	r := jsonschema.Reflector{FieldNameTag: "yaml", Mapper: scalar}
	require.NoError(t, r.AddGoComments("github.com/sluicehq/sluice/internal/simulate/outages", "."))
	s := r.Reflect(&Outage{})
	s.ID = "https://github.com/sluicehq/sluice/internal/simulate/outages/outage.schema.json"
	s.Title = "An outage, for sluice simulate --outage"
	grades, _ := s.Definitions["Outage"].Properties.Get("grades")
	grades.AdditionalProperties = &jsonschema.Schema{Type: "string", Enum: []any{Read, SecondHand, Memory, Modelled}}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	require.NoError(t, enc.Encode(s))
	if *update {
		require.NoError(t, os.WriteFile("outage.schema.json", out.Bytes(), 0o644))
		return
	}
	require.Equal(t, out.String(), string(Schema()), "the types changed: run go generate ./internal/simulate/outages")
}

// scalar gives the types with a text form of their own their patterns.
func scalar(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[spec.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`, Examples: []any{"90s", "1h30m"}}
	case reflect.TypeFor[spec.Number]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "number"}, {Type: "string", Pattern: `^[0-9.]+ *%$`}}, Examples: []any{0.4, "20%"}}
	case reflect.TypeFor[Fault]():
		return &jsonschema.Schema{
			Type: "string", Pattern: `^(errors|latency|traffic|no traffic|check|crash|brick|silent|refuse|source)\b`,
			Examples: []any{"errors 85%", "traffic 0% on hardware=old", "crash at 12h"},
		}
	default:
		return nil
	}
}
