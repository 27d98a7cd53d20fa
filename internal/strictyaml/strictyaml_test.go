package strictyaml_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// span reads a duration, as a type with a text form.
type span time.Duration

func (s *span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New(strictyaml.Quote(string(text)) + " is no span")
	}
	*s = span(d)
	return nil
}

type item struct {
	Name string            `yaml:"name"`
	Bake span              `yaml:"bake,omitempty"`
	N    *int              `yaml:"n,omitempty"`
	On   bool              `yaml:"on"`
	Tags map[string]string `yaml:"tags"`
}

type root struct {
	Unit  string   `yaml:"unit"`
	Argv  []string `yaml:"argv"`
	Items []item   `yaml:"items"`
	Inner *item    `yaml:"inner"`
	none  string   //nolint:unused // must be ignored
	Loop  [][]item `yaml:"loop"`
	Skip  string   `yaml:"-"`
}

func decode(text string) (root, *strictyaml.Document) {
	var out root
	doc := strictyaml.Decode("f.yaml", []byte(text), 1<<20, nil, &out)
	return out, doc
}

func TestDecode(t *testing.T) {
	for name, text := range map[string]string{
		"block":   "unit: 1.10\nargv: [a, yes, 0x10]\nitems:\n  - name: 'it''s'\n    bake: 5m\n    n: 3\n    on: true\n    tags: {a: 1.0, b.c: ~x}\n",
		"windows": "\uFEFF\"unit\": 1.10\r\nargv: [a, yes, 0x10]\r\nitems:\r\n- {name: it's, bake: 5m, n: 3, on: true, tags: {a: 1.0, b.c: ~x}}\r\n",
		"JSON":    `{"unit":"1.10","argv":["a","yes","0x10"],"items":[{"name":"it's","bake":"5m","n":3,"on":true,"tags":{"a":"1.0","b.c":"~x"}}]}`,
	} {
		got, doc := decode(text)
		require.NoError(t, doc.Problems().Err(), name)
		three := 3
		require.Equal(t, root{
			Unit: "1.10", Argv: []string{"a", "yes", "0x10"},
			Items: []item{{Name: "it's", Bake: span(5 * time.Minute), N: &three, On: true, Tags: map[string]string{"a": "1.0", "b.c": "~x"}}},
		}, got, name)
	}
	got, doc := decode("items: [&a {name: x}, *a]\n")
	require.NoError(t, doc.Problems().Err())
	require.Equal(t, []item{{Name: "x"}, {Name: "x"}}, got.Items)
}

func TestProblems(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "f.yaml:1:1: the file is empty, expected a YAML document"},
		{"# nothing\n", "f.yaml:1:1: the file is empty, expected a YAML document"},
		{"~", "f.yaml:1:1: the file is empty, expected a YAML document"},
		{"text", `f.yaml:1:1: is "text", expected a mapping with fields such as unit, argv, items`},
		{"unit: a\nuint: b\n", `f.yaml:2:1: unknown field "uint", did you mean "unit"?`},
		{"items:\n- zzz: 1\n", `f.yaml:2:3: unknown field "zzz" in items[0], expected one of name, bake, n, on, tags`},
		{"Skip: 1\n", `f.yaml:1:1: unknown field "Skip", expected one of unit, argv, items, inner, loop`},
		{"unit: a\nunit: b\n", `f.yaml:2:1: duplicate key "unit", which is already there at 1:1`},
		{"inner: {tags: {a: 1, a: 2}}", `f.yaml:1:22: inner.tags: duplicate key "a", which is already there at 1:16`},
		{"unit: [a]\nargv: b\nitems: {}\ninner: {on: yes, n: 1.5, bake: 5, tags: {a: [b]}}\n", strings.Join([]string{
			`f.yaml:1:7: unit: is a list, expected text`,
			`f.yaml:2:7: argv: is "b", expected a list`,
			`f.yaml:3:8: items: is a mapping, expected a list`,
			`f.yaml:4:13: inner.on: is "yes", expected true or false`,
			`f.yaml:4:21: inner.n: is "1.5", expected a whole number`,
			`f.yaml:4:32: inner.bake: "5" is no span`,
			`f.yaml:4:45: inner.tags.a: is a list, expected text`,
		}, "\n")},
		{"inner:\n  n: '3'\n  name:\n", "f.yaml:2:6: inner.n: is \"3\", expected a whole number\nf.yaml:3:8: inner.name: has no value, expected text"},
		{"inner: {n: 99999999999999999999}", `f.yaml:1:12: inner.n: is "99999999999999999999", expected a whole number`},
		{"inner: {bake: {}}", `f.yaml:1:15: inner.bake: is a mapping, expected a span`},
		{"unit: !!str a", `f.yaml:1:7: unit: has the tag "!!str", expected a value without a tag`},
		{"? [a]\n: b\n", `f.yaml:1:3: a key is not plain text, expected a name`},
		{"items: [&a {name: x}]\ninner: {<<: *a}\n", `f.yaml:2:9: unknown field "<<" in inner: merge keys are not supported, expected the fields written out`},
		{"unit: a\n---\nunit: b\n", "f.yaml:3:1: a second document begins here, expected one (the first begins in line 1)"},
		{"unit: a\nb:\n\t- c\n", "f.yaml:3:1: a tab stands where YAML wants spaces, expected spaces only in front of a line"},
		{"unit: a\nb:\n  c: d\n\te: f\n", "f.yaml:4:1: a tab stands where YAML wants spaces, expected spaces only in front of a line"},
		{"unit: a\n---\n[", "f.yaml:4:1: invalid YAML: while parsing a flow node, did not find expected node content"},
		{"unit: \"a", "f.yaml:1:9: invalid YAML: while scanning a quoted scalar, found unexpected end of stream"},
		{"unit: *b", "f.yaml:1:7: invalid YAML: unknown anchor 'b' referenced"},
		{"unit: a\x00b", "f.yaml:1:8: the file holds a NUL byte, expected a text file in UTF-8"},
		{"\nunit: \xff", "f.yaml:2:7: the byte 0xff is not valid UTF-8, expected a text file in UTF-8"},
		{"unit: \x1b[31m", "f.yaml:1:7: the file holds the character U+001B, expected a text file in UTF-8"},
		{"unit: é\u2028", "f.yaml:1:8: the file holds the character U+2028, expected a text file in UTF-8"},
		{"inner: {bake: \"\\e[2J\\u202e\"}", `f.yaml:1:15: inner.bake: "\x1b[2J\u202e" is no span`},
		{"\"\\e[2J\": 1", `f.yaml:1:1: unknown field "\x1b[2J", expected one of unit, argv, items, inner, loop`},
		{"inner: {tags: {\"a\\nb\": {}}}", `f.yaml:1:24: inner.tags["a\nb"]: is a mapping, expected text`},
	} {
		_, doc := decode(tc.text)
		require.EqualError(t, doc.Problems().Err(), tc.want, tc.text)
	}
}

// TestHostile asserts that what could exhaust memory or the stack is refused.
func TestHostile(t *testing.T) {
	bomb := "argv: &a0 [x]\nloop:\n- &b0 [{}, {}, {}, {}, {}, {}, {}, {}, {}, {}]\n"
	var layers strings.Builder
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&layers, "- &b%d [%s]\n", i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*b%d, ", i-1), 10), ", "))
	}
	for name, tc := range map[string]struct{ text, want string }{
		"flow":      {"loop: " + strings.Repeat("[", 20_000), "nested more than 100 deep"},
		"block":     {"loop:\n" + strings.Repeat("- ", 20_000) + "a", "nested more than 100 deep"},
		"mappings":  {strings.Repeat("{a: ", 20_000), "nested more than 100 deep"},
		"large":     {strings.Repeat("# comment\n", 1<<20), "the file has 10 MiB, expected at most 1 MiB"},
		"bomb":      {bomb + layers.String(), "expected a mapping"},
		"wide bomb": {"items: &a [" + strings.Repeat("{},", 1000) + "]\nloop: [" + strings.Repeat("*a,", 1000) + "]", "aliases repeat more than 100000 values"},
		"cycle":     {"loop: &a [*a, *a, *a]", "f.yaml:1:"},
		"keys":      {strings.Repeat("? ", 20_000), "nested more than 100 deep"},
		"unknown":   {strings.Repeat("unitt: a\n", 100_000), "and 99000 more problems"},
		"anchors":   {"argv: [" + strings.Repeat("&a x, ", 100_000) + "*b]", "unknown anchor"},
	} {
		start := time.Now()
		_, doc := decode(tc.text)
		require.ErrorContains(t, doc.Problems().Err(), tc.want, name)
		t.Logf("%s: %s", name, time.Since(start))
	}
}

func TestPositions(t *testing.T) {
	_, doc := decode("unit: a\nitems:\n  - name: x\n    tags:\n      a.b: c\n  - {bake: 5m}\ninner: &i\n  name: y\n")
	for _, tc := range []struct{ path, want string }{
		{"", "1:1"},
		{"unit", "1:7"},
		{"items", "3:3"},
		{"items[0]", "3:5"},
		{"items[0].name", "3:11"},
		{`items[0].tags["a.b"]`, "5:12"},
		{"items[1].bake", "6:12"},
		{"items[1].name", "6:5"},
		{"items[7].name", "3:3"},
		{"inner.bake", "7:8"},
		{"argv[0]", "1:1"},
	} {
		line, column := doc.Position(tc.path)
		require.Equal(t, tc.want, fmt.Sprintf("%d:%d", line, column), tc.path)
	}
	require.True(t, doc.Has("items[1].bake"))
	require.False(t, doc.Has("items[1].name"))

	require.False(t, doc.Bad("items[1]"))
	doc.Add("items[1].bake", "first")
	doc.Add("items[0]", "another")
	require.True(t, doc.Bad("items[1].bake"))
	require.EqualError(t, doc.Problems().Err(), "f.yaml:3:5: items[0]: another\nf.yaml:6:12: items[1].bake: first")

	_, doc = decode("items: {}\n")
	doc.Add("items[0].bake", "hidden by the list that is none")
	require.True(t, doc.Bad("items[0].bake"))
	require.Len(t, doc.Problems(), 1)
}

func TestSuggestedFieldIsNotMissingToo(t *testing.T) {
	_, doc := decode("items:\n- {bakeTime: 5m}\n")
	doc.Add("items[0].bake", "is required")
	require.EqualError(t, doc.Problems().Err(), `f.yaml:2:4: unknown field "bakeTime" in items[0], did you mean "bake"?`)
}

// TestInside puts a marker into texts written in every way YAML has, and asserts that the place of
// the marker in the value is its place in the file.
func TestInside(t *testing.T) {
	for name, text := range map[string]string{
		"plain":         "unit: ab cd @ e\n",
		"plain folded":  "unit: ab\n  cd\n\n\n  é @ e\n",
		"single":        "unit: 'it''s  é @ e'\n",
		"single folded": "unit: 'it''s  \n   é\n\n   @ e'\n",
		"double":        "unit: \"a\\\"b\\u00e9\\x41 \\n\\\n   é @ e\"\n",
		"double folded": "unit: \"a\n\n\n   é \n @ e\"\n",
		"literal":       "unit: |\n    a\n      b  c\n\n    é @ e\n",
		"literal first": "unit: |-  # why\n\n\n  é @ e\n",
		"indented":      "inner:\n  name: |2\n      a\n    @ b\n",
		"folded":        "unit: >-\n    a\n    b\n\n\n    é @ e\n",
		"folded more":   "unit: >\n  a\n    b\n    c\n  é\n  @ e\n",
		"anchor":        "unit: &x  'a @ b'\n",
		"flow":          "{unit: é @ b, argv: []}\n",
		"JSON":          "{\"unit\":\"\\/a @ b\"}",
		"windows":       "unit: |\r\n    a\r\n    é @ e\r\n",
	} {
		got, doc := decode(text)
		require.NoError(t, doc.Problems().Err(), name)
		path, value := "unit", got.Unit
		if got.Inner != nil {
			path, value = "inner.name", got.Inner.Name
		}
		offset := strings.Index(value, "@")
		require.GreaterOrEqual(t, offset, 0, name)
		line, column := doc.Inside(path, offset)
		lines := strings.Split(text, "\n")
		require.Equal(t, "@", string([]rune(lines[line-1])[column-1]), "%s: %d:%d", name, line, column)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("unit: a\nitems: [&a {name: x}, *a]\n", 3)
	f.Add("unit: >-\n  a\n\n  b\n", 3)
	f.Add("unit: \"\\u00e9\\\n b\"", 1)
	f.Fuzz(func(t *testing.T, text string, offset int) {
		_, doc := decode(text)
		for _, p := range doc.Problems() {
			require.NotEmpty(t, p.Message)
			require.False(t, strings.ContainsAny(p.Error(), "\n\x1b"))
		}
		if doc.Readable() {
			line, column := doc.Inside("unit", offset)
			require.Positive(t, line)
			require.Positive(t, column)
		}
	})
}

// source is a path, or a mapping that says more.
type source struct {
	Path string   `yaml:"path"`
	Argv []string `yaml:"argv"`
}

func (s *source) UnmarshalText(text []byte) error {
	s.Path = string(text)
	return nil
}

// A struct with a short form is read from text and from a mapping, and from nothing else.
func TestShortForm(t *testing.T) {
	for text, want := range map[string]source{
		"from: a.yaml":          {Path: "a.yaml"},
		"from: {path: a.yaml}":  {Path: "a.yaml"},
		"from: {argv: [ls, x]}": {Argv: []string{"ls", "x"}},
	} {
		var out struct {
			From source `yaml:"from"`
		}
		require.NoError(t, strictyaml.Decode("f.yaml", []byte(text), 1<<10, nil, &out).Problems().Err(), text)
		require.Equal(t, want, out.From, text)
	}
	var out struct {
		From source `yaml:"from"`
		Bake span   `yaml:"bake"`
	}
	doc := strictyaml.Decode("f.yaml", []byte("from: [a]\nbake: {a: b}"), 1<<10, nil, &out)
	require.EqualError(t, doc.Problems().Err(), "f.yaml:1:7: from: is a list, expected a source\nf.yaml:2:7: bake: is a mapping, expected a span")
	doc = strictyaml.Decode("f.yaml", []byte("from: {pth: a}"), 1<<10, nil, &out)
	require.ErrorContains(t, doc.Problems().Err(), `unknown field "pth" in from, did you mean "path"?`)
}

// Keys that are known only when the program runs stand beside fields, and alone.
func TestOpenKeys(t *testing.T) {
	open := strictyaml.Open{"kinds": {
		{Name: "web", New: func() any { return new(item) }},
		{Name: "url", New: func() any { return new(string) }},
	}}
	type mapping struct {
		Every span     `yaml:"every"`
		Kind  struct{} `yaml:",open=kinds"`
	}
	var out struct {
		Health mapping `yaml:"health"`
	}
	decode := func(text string) (*strictyaml.Document, string) {
		doc := strictyaml.Decode("f.yaml", []byte(text), 1<<10, open, &out)
		if err := doc.Problems().Err(); err != nil {
			return doc, err.Error()
		}
		return doc, ""
	}
	doc, problems := decode("health: {web: {name: a}, every: 5m, url: http://x}")
	require.Empty(t, problems)
	require.Equal(t, "a", doc.Opened("health.web").(*item).Name)
	require.Equal(t, "http://x", *doc.Opened("health.url").(*string))
	require.Nil(t, doc.Opened("health.every"))
	for text, want := range map[string]string{
		"health: {wbe: {}}":        `f.yaml:1:10: unknown field "wbe" in health, did you mean "web"?`,
		"health: {no-such: {}}":    `f.yaml:1:10: unknown field "no-such" in health, expected one of every, web, url`,
		"health: {web: {nam: a}}":  `f.yaml:1:16: unknown field "nam" in health.web, did you mean "name"?`,
		"health: {url: [a]}":       `f.yaml:1:15: health.url: is a list, expected text`,
		"health: {url: }":          `f.yaml:1:15: health.url: has no value, expected text`,
		"health: {web: a, web: b}": "f.yaml:1:15: health.web: is \"a\", expected a mapping with fields such as name, bake, n\nf.yaml:1:18: health: duplicate key \"web\", which is already there at 1:10",
		"health: []":               `f.yaml:1:9: health: is a list, expected a mapping with fields such as every, web, url`,
	} {
		doc, problems := decode(text)
		require.Equal(t, want, problems, text)
		require.Nil(t, doc.Opened("health.url"))
	}
}
