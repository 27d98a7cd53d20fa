package data_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle/data"
)

func TestReadKnowsPlaces(t *testing.T) {
	for file, content := range map[string]string{
		"a.json": "{\n  \"ä\": \"é\", \"b\": [1, {\"c\": 1.10}]}\n",
		"a.yaml": "ä: é\nb:\n- 1\n-  {c: 1.10}\n",
	} {
		v, err := data.Read(file, []byte(content))
		require.NoError(t, err)
		at := v.At("/b/1/c")
		require.NotNil(t, at)
		want := map[string][2]int{"a.json": {2, 28}, "a.yaml": {4, 8}}[file]
		require.Equal(t, want, [2]int{at.Line, at.Column}, file)
		require.Nil(t, v.At("/b/2"))
		require.Nil(t, v.At("/b/01"))
		require.Same(t, v.At("/b/1"), v.Step([]string{"b", "1", "none"}))
	}
	v, err := data.Read("a.yml", []byte("a/b~: &x {t: true, n: null, d: 2026-11-30, i: 0x10}\nl: [*x]\n"))
	require.NoError(t, err)
	require.JSONEq(t, `{"d":"2026-11-30","i":16,"n":null,"t":true}`, v.At("/a~1b~0").Text(0))
	require.Equal(t, v.At("/a~1b~0").Plain(), v.At("/l/0").Plain())
	require.Len(t, v.At("/l/0").Text(10), 10+len("…"))
}

func TestReadRefuses(t *testing.T) {
	bomb := "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
	for i, c := range "bcdefghi" {
		was := string("abcdefghi"[i])
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+was+",", 9) + "*" + was + "]\n"
	}
	for name, c := range map[string]struct{ file, content, want string }{
		"no JSON":            {"a.json", "{\n \"a\": x}", "a.json:2:7: is not valid JSON"},
		"cut":                {"a.json", `{"a": 1`, "a.json:1:7: is not valid JSON: unexpected end"},
		"empty":              {"a.json", "", "a.json:1:1: is not valid JSON"},
		"two values":         {"a.json", "{}\n{}", "a.json:2:1: is not valid JSON"},
		"YAML in JSON":       {"a.json", "a: 1", "is not valid JSON"},
		"twice":              {"a.json", "{\"a\": 1,\n \"a\": 2}", `a.json:2:2: duplicate key "a"`},
		"twice, escaped":     {"a.json", "{\"a\": 1,\n \"\\u0061\": 2}", `a.json:2:2: duplicate key "a"`},
		"no UTF-8":           {"a.json", "\"\xff\"", "is not UTF-8"},
		"huge number":        {"a.json", "[1e999999]", "a.json:1:2: the number \"1e999999\" is larger"},
		"deep":               {"a.json", strings.Repeat("[", 200) + strings.Repeat("]", 200), "nested more than 100 deep"},
		"deep YAML":          {"a.yaml", strings.Repeat("[", 200) + strings.Repeat("]", 200), "nested more than 100 deep"},
		"bomb":               {"a.yaml", bomb, "more than 1000000 values"},
		"itself":             {"a.yaml", "&a [*a]", "nested more than 100 deep"},
		"twice in YAML":      {"a.yaml", "a: 1\na: 2\n", `a.yaml:2:1: duplicate key "a"`},
		"merge":              {"a.yaml", "a: &a {x: 1}\nb:\n  <<: *a\n", "a.yaml:3:3: merge keys are not read"},
		"no number":          {"a.yaml", "a: .nan\n", `a.yaml:1:4: ".nan" is not a number`},
		"no plain key":       {"a.yaml", "[a]: 1\n", "a key is not plain text"},
		"second document":    {"a.yaml", "a: 1\n---\nb: 1\n", "a.yaml:3:1: a second document"},
		"a tag that is none": {"a.yaml", "a: !!int x\n", "is not what its tag says"},
		"too large":          {"a.json", strings.Repeat(" ", data.MaxBytes+1), "at most"},
		"too large YAML":     {"a.yaml", strings.Repeat(" ", data.MaxBytes+1), "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := data.Read(c.file, []byte(c.content))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestParsePlace(t *testing.T) {
	for text, want := range map[string]string{
		"features.json#/features": "", "a/b.yaml#": "", "a.yml#/a~1b~0/0": "",
		"features.json":          "such as features.json#/features",
		"#/a":                    "is not a place in a file",
		"features.json#features": "has no JSON pointer",
		"a.txt#/a":               "neither .json nor .yaml",
		"a.json#/a~":             "~ without 0 or 1",
		"a.json#/a~2":            "~ without 0 or 1",
	} {
		p, err := data.ParsePlace(text)
		if want != "" {
			require.ErrorContains(t, err, want, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, text, p.String())
	}
}

func TestEntries(t *testing.T) {
	named := func(n, w int) string { // n features, each with a weight
		out := make([]map[string]any, n)
		for i := range out {
			out[i] = map[string]any{"name": i, "w": w}
		}
		text, err := json.Marshal(out)
		require.NoError(t, err)
		return string(text)
	}
	twice := strings.Replace(named(200, 1)+named(200, 1), "][", ",", 1)
	for name, c := range map[string]struct {
		old, new string
		want     data.Count
	}{
		"same":               {`[1, 2]`, `[2, 1]`, data.Count{Old: 2, New: 2}},
		"a mapping":          {`{"a": 1, "b": 2, "c": 3}`, `{"c": 4, "a": 1, "d": 5}`, data.Count{Old: 3, New: 3, Removed: 1, Added: 1, Changed: 1}},
		"a list of texts":    {`["a", "b", "c"]`, `["a", "x"]`, data.Count{Old: 3, New: 2, Removed: 2, Added: 1}},
		"named, reordered":   {`[{"id":1,"x":1},{"id":2}]`, `[{"id":2},{"id":1,"x":2}]`, data.Count{Old: 2, New: 2, Changed: 1}},
		"all weights":        {named(200, 1), named(200, 2), data.Count{Old: 200, New: 200, Changed: 200}},
		"every entry twice":  {named(200, 1), twice, data.Count{Old: 200, New: 400, Added: 200}},
		"and back":           {twice, named(200, 1), data.Count{Old: 400, New: 200, Removed: 200}},
		"doubled":            {named(200, 1), named(400, 1), data.Count{Old: 200, New: 400, Added: 200}},
		"deleted":            {named(200, 1), `[]`, data.Count{Old: 200, Removed: 200}},
		"from nothing":       {`null`, `[1]`, data.Count{New: 1, Added: 1}},
		"a list, a mapping":  {`[1]`, `{"a": 1}`, data.Count{Old: 1, New: 1, Removed: 1, Added: 1}},
		"names of two kinds": {`[{"id":1},{"name":"a"}]`, `[{"id":1},{"name":"b"}]`, data.Count{Old: 2, New: 2, Removed: 1, Added: 1}},
		"keys in any order":  {`[{"x":1,"y":2}]`, `[{"y":2,"x":1}]`, data.Count{Old: 1, New: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			old, err := data.Read("a.json", []byte(c.old))
			require.NoError(t, err)
			fresh, err := data.Read("a.json", []byte(c.new))
			require.NoError(t, err)
			require.Equal(t, c.want, data.Entries(old, fresh))
		})
	}
	fresh, err := data.Read("a.json", []byte("[1]"))
	require.NoError(t, err)
	require.Equal(t, 1, data.Entries(nil, fresh).Touched())
}

// FuzzRead reads anything, at any place: it ends, and what it reads it reads the same again.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		`{"a": [1, {"b": null}]}`, `[{"id":1},{"id":2}]`, "a: &x [1]\nb: [*x, *x]\n",
		"&a [*a]", `"\ud800"`, "[1e400]", "? a\n: b\n",
	} {
		f.Add(s, "[1]", "/a/1/b")
	}
	f.Fuzz(func(t *testing.T, one, two, pointer string) {
		for _, file := range []string{"a.json", "a.yaml"} {
			v, err := data.Read(file, []byte(one))
			if err != nil {
				continue
			}
			again, err := data.Read("a.json", []byte(v.Text(0)))
			require.NoError(t, err)
			require.Empty(t, data.Changes(v, again))
			if p, err := data.ParsePlace(file + "#" + pointer); err == nil {
				v.At(p.Pointer)
			}
			w, err := data.Read(file, []byte(two))
			if err != nil {
				continue
			}
			there, back := data.Entries(v, w), data.Entries(w, v)
			require.Equal(t, [2]int{there.Removed, there.Added}, [2]int{back.Added, back.Removed})
			require.Equal(t, there.New-there.Old, there.Added-there.Removed)
			for _, c := range data.Changes(v, w) {
				if c.New != nil {
					require.Same(t, c.New, w.At(c.Pointer))
				} else {
					require.Same(t, c.Old, v.At(c.Pointer))
				}
			}
		}
	})
}
