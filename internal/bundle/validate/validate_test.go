package validate_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/validate"
	"github.com/sluicehq/sluice/internal/spec"
)

// of is the bundle of some files, with all that it has to be read.
func of(t testing.TB, contents map[string]string, v spec.Validate) bundle.Read {
	t.Helper()
	dir := t.TempDir()
	for name, content := range contents {
		at := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
		require.NoError(t, os.WriteFile(at, []byte(content), 0o600))
	}
	var archive bytes.Buffer
	b, err := bundle.Build(t.Context(), dir, &archive)
	require.NoError(t, err)
	read, err := b.Contents(&archive, validate.Reads(v))
	require.NoError(t, err)
	return bundle.Read{Bundle: b, Contents: read}
}

// words are findings, a line each.
func words(found []validate.Finding) string {
	var out []string
	for _, f := range found {
		out = append(out, fmt.Sprintf("%s [%s]", f.Error(), f.Setting))
	}
	return strings.Join(out, "\n")
}

const schema = `{"type": "object", "required": ["features"], "properties": {"features": {"type": "array", "items": {"$ref": "#/$defs/f"}}},
"$defs": {"f": {"type": "object", "required": ["name"], "properties": {"w": {"type": "number", "minimum": 0}}}}}`

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		v     spec.Validate
		want  string
	}{
		"fit": {
			map[string]string{"f.json": "{\"features\": [{\"name\": \"a\"}]}", "b.txt": "x"},
			spec.Validate{
				Schema: map[string]string{"*.json": "s.json"},
				Limits: spec.Limits{Bytes: 1000, Entries: map[string]int{"f.json#/features": 1, "f.json#": 1}},
			},
			"",
		},
		"too large": {
			map[string]string{"a": strings.Repeat("x", 600), "b": strings.Repeat("x", 601)},
			spec.Validate{Limits: spec.Limits{Bytes: 1200}},
			":0:0: the bundle has 1,201 bytes, at most 1,200 [validate.limits.bytes]",
		},
		"too many": {
			map[string]string{"f.json": "{\n  \"features\": [1, 2, 3]}"},
			spec.Validate{Limits: spec.Limits{Entries: map[string]int{"f.json#/features": 2}}},
			`f.json:2:15: f.json#/features has 3 entries, at most 2 [validate.limits.entries["f.json#/features"]]`,
		},
		"too many of a mapping": {
			map[string]string{"f.yaml": "a/b:\n  x: 1\n  y: 2\n"},
			spec.Validate{Limits: spec.Limits{Entries: map[string]int{"f.yaml#/a~1b": 1}}},
			`f.yaml:2:3: f.yaml#/a~1b has 2 entries, at most 1 [validate.limits.entries["f.yaml#/a~1b"]]`,
		},
		"nothing there": {
			map[string]string{"f.json": `{"a": "x"}`},
			spec.Validate{Limits: spec.Limits{Entries: map[string]int{"f.json#/a": 1, "f.json#/b": 1, "g.json#": 1}}},
			`f.json:1:7: f.json#/a is "x", expected a list or a mapping [validate.limits.entries["f.json#/a"]]` + "\n" +
				`f.json:1:1: there is nothing at f.json#/b [validate.limits.entries["f.json#/b"]]` + "\n" +
				`:0:0: g.json is not in the bundle [validate.limits.entries["g.json#"]]`,
		},
		"no JSON, said once": {
			map[string]string{"f.json": "{"},
			spec.Validate{Schema: map[string]string{"*.json": "s.json"}, Limits: spec.Limits{Entries: map[string]int{"f.json#/a": 1}}},
			`f.json:1:1: is not valid JSON: unexpected end of JSON input [validate.limits.entries["f.json#/a"]]`,
		},
		"schema": {
			map[string]string{"f.json": "{\"features\": [\n  {\"name\": \"a\", \"w\": -1},\n  {\"w\": \"x\"}]}", "deep/g.json": "{}", "h.yaml": "x"},
			spec.Validate{Schema: map[string]string{"*.json": "s.json"}},
			`deep/g.json:1:1: the file: missing property 'features', by s.json [validate.schema["*.json"]]` + "\n" +
				`f.json:2:22: #/features/0/w: minimum: got -1, want 0, by s.json [validate.schema["*.json"]]` + "\n" +
				`f.json:3:3: #/features/1: missing property 'name', by s.json [validate.schema["*.json"]]` + "\n" +
				`f.json:3:9: #/features/1/w: got string, want number, by s.json [validate.schema["*.json"]]`,
		},
		"a pattern with a slash": {
			map[string]string{"f.json": "{}", "deep/g.yaml": "features: 1\n"},
			spec.Validate{Schema: map[string]string{"deep/*.yaml": "s.json"}},
			`deep/g.yaml:1:11: #/features: got number, want array, by s.json [validate.schema["deep/*.yaml"]]`,
		},
		"matches nothing": {
			map[string]string{"f.json": "{}"},
			spec.Validate{Schema: map[string]string{"*.yaml": "s.json"}},
			`:0:0: no file of the bundle matches "*.yaml" [validate.schema["*.yaml"]]`,
		},
		"no data": {
			map[string]string{"f.txt": "{}"},
			spec.Validate{Schema: map[string]string{"*": "s.json"}},
			`:0:0: f.txt is neither .json nor .yaml, and no schema can tell about it [validate.schema["*"]]`,
		},
		"a schema elsewhere": {
			map[string]string{"f.json": "{}"},
			spec.Validate{Schema: map[string]string{"*.json": "remote.json"}},
			"a schema may refer to places in itself only",
		},
		"a local file": {map[string]string{"f.json": "{}"}, spec.Validate{Schema: map[string]string{"*.json": "local.json"}}, "places in itself only"},
		"no schema":    {map[string]string{"f.json": "{}"}, spec.Validate{Schema: map[string]string{"*.json": "bad.json"}}, "bad.json is not a schema that can be used"},
		"not even data": {
			map[string]string{"f.json": "{}"},
			spec.Validate{Schema: map[string]string{"*.json": "broken.json"}},
			`:0:0: the schema cannot be read: broken.json:1:2: is not valid JSON`,
		},
		"of is checked too": {
			map[string]string{"f.json": "{}"},
			spec.Validate{Change: &spec.ChangeLimits{Of: "f.json#/features"}},
			`f.json:1:1: there is nothing at f.json#/features [validate.change.of]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			schemas := map[string][]byte{
				"s.json": []byte(schema), "remote.json": []byte(`{"$ref": "https://example.com/s.json"}`),
				"local.json": []byte(`{"$ref": "file:///etc/passwd"}`), "bad.json": []byte(`{"type": 7}`), "broken.json": []byte(`{x`),
			}
			got := words(validate.Check(c.v, of(t, c.files, c.v), schemas))
			if strings.HasPrefix(c.want, ":") || strings.Contains(c.want, "[") || c.want == "" {
				require.True(t, got == c.want || c.want != "" && strings.HasPrefix(got, c.want), got)
				return
			}
			require.Contains(t, got, c.want)
		})
	}
}

func TestViolationsAreBounded(t *testing.T) {
	v := spec.Validate{Schema: map[string]string{"*": "s.json"}}
	many := `{"features": [` + strings.Repeat(`"`+strings.Repeat("x", 2000)+`",`, 500) + `1]}`
	found := validate.Check(v, of(t, map[string]string{"f.json": many}, v), map[string][]byte{"s.json": []byte(schema)})
	require.Len(t, found, 21)
	require.Equal(t, "f.json has 481 more problems by s.json", found[20].Message)
}

func percent(p float64) *spec.Number { n := spec.Number(p / 100); return &n }

func TestChange(t *testing.T) {
	list := func(from, to int) map[string]string {
		var out []string
		for i := from; i < to; i++ {
			out = append(out, fmt.Sprintf(`{"name": "f%d"}`, i))
		}
		return map[string]string{"f.json": `{"features": [` + strings.Join(out, ", ") + `]}`}
	}
	count := func(n int) map[string]string {
		out := map[string]string{}
		for i := range n {
			out[fmt.Sprint("f", i)] = "x"
		}
		return out
	}
	features := func(removed, changed *spec.Number) spec.ChangeLimits {
		return spec.ChangeLimits{MaxRemoved: removed, MaxChanged: changed, Of: "f.json#/features"}
	}
	for name, c := range map[string]struct {
		old, fresh map[string]string
		v          spec.ChangeLimits
		want       string
	}{
		"the same":       {list(0, 800), list(0, 800), features(percent(0), percent(0)), ""},
		"a mass delete":  {list(0, 800), list(312, 800), features(percent(5), nil), "f.json:1:14: f.json#/features: 312 of 800 entries removed, 39%, at most 5% [validate.change.maxRemoved]"},
		"just not":       {list(0, 100), list(5, 100), features(percent(5), nil), ""},
		"just":           {list(0, 1000), list(51, 1000), features(percent(5), nil), "51 of 1,000 entries removed, 5.1%, at most 5%"},
		"doubled":        {list(0, 200), list(0, 400), features(percent(5), percent(30)), "f.json:1:14: f.json#/features: 200 of 200 entries not as they were (0 changed, 200 added, 0 removed), 100%, at most 30% [validate.change.maxChanged]"},
		"replaced":       {list(0, 100), list(40, 140), features(percent(50), percent(30)), "40 of 100 entries not as they were (0 changed, 40 added, 40 removed), 40%, at most 30%"},
		"both":           {list(0, 100), list(60, 100), features(percent(5), percent(5)), "60 of 100 entries removed, 60%, at most 5% [validate.change.maxRemoved]\n"},
		"from nothing":   {list(0, 0), list(0, 3), features(percent(5), percent(30)), "3 of 0 entries not as they were (0 changed, 3 added, 0 removed), 100%, at most 30%"},
		"a new file":     {map[string]string{"g": "x"}, list(0, 3), features(nil, percent(30)), "3 of 0 entries not as they were"},
		"old is no JSON": {map[string]string{"f.json": "{"}, list(0, 3), features(nil, percent(30)), "the entries that the fleet runs cannot be counted: f.json:1:1"},
		"files":          {count(20), count(10), spec.ChangeLimits{MaxRemoved: percent(5)}, ":0:0: 10 of 20 files removed, 50%, at most 5% [validate.change.maxRemoved]"},
		"files added":    {count(10), count(20), spec.ChangeLimits{MaxChanged: percent(30)}, "10 of 10 files not as they were (0 changed, 10 added, 0 removed), 100%"},
		"a file's text":  {map[string]string{"a": "1", "b": "1"}, map[string]string{"a": "1", "b": "2"}, spec.ChangeLimits{MaxChanged: percent(30)}, "1 of 2 files not as they were (1 changed, 0 added, 0 removed), 50%"},
		"nothing limits": {list(0, 100), list(0, 0), features(percent(100), nil), ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := spec.Validate{Change: &c.v}
			got := words(validate.Change(c.v, of(t, c.old, v), of(t, c.fresh, v)))
			if c.want == "" {
				require.Empty(t, got)
			}
			require.Contains(t, got, c.want)
		})
	}
}

// The incident of November 2025: a query answered every row twice, and the file of features had
// more than twice as many as the program that reads it has room for. Sizes as they were told.
func TestTheFeatureFileThatDoubled(t *testing.T) {
	generate := func(times int) string { // what the generator writes when each row is answered so often
		var rows []string
		for range times {
			for i := range 120 {
				rows = append(rows, fmt.Sprintf(`{"name": "feature_%03d", "type": "float"}`, i))
			}
		}
		return `{"features": [` + strings.Join(rows, ",\n") + `]}`
	}
	limits, change := spec.Limits{Entries: map[string]int{"features.json#/features": 200}}, &spec.ChangeLimits{
		MaxRemoved: percent(5), MaxChanged: percent(30), Of: "features.json#/features",
	}
	for name, c := range map[string]struct {
		v    spec.Validate
		want string
	}{
		"limits":      {spec.Validate{Limits: limits}, "features.json:1:14: features.json#/features has 240 entries, at most 200"},
		"change":      {spec.Validate{Change: change}, "features.json#/features: 120 of 120 entries not as they were (0 changed, 120 added, 0 removed), 100%, at most 30%"},
		"neither":     {spec.Validate{}, ""},
		"limit is up": {spec.Validate{Limits: spec.Limits{Entries: map[string]int{"features.json#/features": 1000}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			reads := spec.Validate{Limits: limits}
			old, fresh := of(t, map[string]string{"features.json": generate(1)}, reads), of(t, map[string]string{"features.json": generate(2)}, reads)
			found := validate.Check(c.v, fresh, nil)
			if c.v.Change != nil {
				require.Empty(t, found)
				found = validate.Change(*c.v.Change, old, fresh)
			}
			if c.want == "" {
				require.Empty(t, found)
				return
			}
			require.Contains(t, words(found), c.want)
			require.Empty(t, validate.Check(c.v, old, nil), "what ran before passes")
		})
	}
}

// FuzzCheck gives the validators anything to read: they end, and say little.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		`{"features": [{"name": "a"}]}`, "features: &a [*a]\n", `{"features": [1e-999999999]}`,
		`{"features": [0e999999999, 1E+400]}`, `{"features": {"a": -0.0}}`,
	} {
		f.Add(s, `{"features": [{"name": "b"}]}`)
	}
	all := `{"properties": {"features": {"items": {"minimum": 0, "multipleOf": 0.01, "maxLength": 3, "pattern": "^a+$", "format": "email"},
"uniqueItems": true, "additionalProperties": {"anyOf": [{"const": 1}, {"enum": [[], {}]}]}}}}`
	f.Fuzz(func(t *testing.T, old, fresh string) {
		for _, name := range []string{"f.json", "f.yaml"} {
			v := spec.Validate{
				Schema: map[string]string{"*": "s.json"},
				Limits: spec.Limits{Entries: map[string]int{name + "#/features": 1, name + "#/features/0": 1}},
				Change: &spec.ChangeLimits{MaxRemoved: percent(5), MaxChanged: percent(5), Of: name + "#/features"},
			}
			files := func(content string) bundle.Read {
				return bundle.Read{Bundle: bundle.Bundle{Files: []bundle.File{{Path: name}}}, Contents: map[string][]byte{name: []byte(content)}}
			}
			found := validate.Check(v, files(fresh), map[string][]byte{"s.json": []byte(all)})
			found = append(found, validate.Change(*v.Change, files(old), files(fresh))...)
			require.Less(t, len(found), 100)
		}
	})
}
