package diff_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/diff"
)

// files are the differences of two folders, given by path and content; a * after the path makes a
// program of it.
func files(t *testing.T, old, fresh map[string]string, most int) []diff.File {
	t.Helper()
	bundles, archives := make([]bundle.Bundle, 2), make([]bytes.Buffer, 2)
	for i, contents := range []map[string]string{old, fresh} {
		dir := t.TempDir()
		for name, content := range contents {
			name, program := strings.CutSuffix(name, "*")
			at := filepath.Join(dir, name)
			require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
			perm := os.FileMode(0o644)
			if program {
				perm = 0o755
			}
			require.NoError(t, os.WriteFile(at, []byte(content), perm))
		}
		var err error
		bundles[i], err = bundle.Build(t.Context(), dir, &archives[i])
		require.NoError(t, err)
	}
	sides := make([]bundle.Read, 2)
	for i, b := range bundles {
		contents, err := b.Contents(&archives[i], diff.Compared(bundles[0], bundles[1]))
		require.NoError(t, err)
		sides[i] = bundle.Read{Bundle: b, Contents: contents}
	}
	return diff.Files(sides[0], sides[1], most)
}

func TestFiles(t *testing.T) {
	large := strings.Repeat("x", 5<<20)
	for name, c := range map[string]struct{ path, old, fresh, want string }{
		"added":            {"a.json", "", "{}", "a.json: added, 2 bytes"},
		"removed":          {"a.json", "{}", "", "a.json: removed, it had 2 bytes"},
		"a value":          {"a.json", `{"a": 1, "b": [1, 2]}`, `{"b": [1, 3], "a": 1}`, "a.json: 1 value changed\n  ~ /b/1: 2 -> 3"},
		"null and nothing": {"a.json", `{"a": null}`, `{}`, "a.json: 1 value removed\n  - /a: null"},
		"a number's digit": {"a.json", `[12345678901234567890]`, `[12345678901234567891]`, "a.json: 1 value changed\n  ~ /0: 12345678901234567890 -> 12345678901234567891"},
		"the whole":        {"a.json", `1`, `{}`, "a.json: 1 value changed\n  ~ the whole file: 1 -> {}"},
		"an entry first":   {"a.json", `[1, 2, 3]`, `[0, 1, 2, 3]`, "a.json: 1 value added\n  + /0: 0"},
		"by name":          {"a.json", `[{"name": "a", "w": 1}, {"name": "b"}]`, `[{"name": "b"}, {"name": "a", "w": 2}]`, "a.json: 1 value changed\n  ~ /1/w: 1 -> 2"},
		"YAML":             {"a.yaml", "a/b: 1\n", "a/b: 2 # two\n", "a.yaml: 1 value changed\n  ~ /a~1b: 1 -> 2"},
		"only spelling":    {"a.yaml", "a: 1\n", "a:  1\n", "a.yaml: 1 line added, 1 line removed\n  @@ -1 +1 @@\n  -a: 1\n  +a:  1"},
		"not JSON":         {"a.json", "{}\n", "{\n", "a.json: 1 line added, 1 line removed\n  @@ -1 +1 @@\n  -{}\n  +{"},
		"text":             {"a.txt", "1\n2\n3\n4\n5\n", "1\n2\n3\n4\n6\n", "a.txt: 1 line added, 1 line removed\n  @@ -3,3 +3,3 @@\n   3\n   4\n  -5\n  +6"},
		"binary":           {"a", "\x00a", "\x00bc", "a: 2 bytes (022a6979e6da) -> 3 bytes (4075b6a68556)"},
		"escapes":          {"a.txt", "a\n", "\x1b[31m\u202e\n", "a.txt: 1 line added, 1 line removed\n  @@ -1 +1 @@\n  -a\n  +\\x1b[31m\\u202e"},
	} {
		t.Run(name, func(t *testing.T) {
			old, fresh := map[string]string{"same": "same"}, map[string]string{"same": "same"}
			if c.old != "" {
				old[c.path] = c.old
			}
			if c.fresh != "" {
				fresh[c.path] = c.fresh
			}
			require.Equal(t, c.want, strings.Join(diff.Text(files(t, old, fresh, 100), 100), "\n"))
		})
	}
	got := files(t, map[string]string{"a": large}, map[string]string{"a": large + "y"}, 100)
	require.Equal(t, diff.Bytes, got[0].Form, "it is too large to compare")
	got = files(t, map[string]string{"a": "1", "b*": "1", "c": "1"}, map[string]string{"a*": "1", "b": "2", "c": "1"}, 100)
	require.Equal(t, []string{
		"a: mode 0644 -> 0755", "b: 1 line added, 1 line removed, mode 0755 -> 0644",
		"  @@ -1 +1 @@", "  -1", `  \ No newline at end of file`, "  +2", `  \ No newline at end of file`,
	}, diff.Text(got, 100))
	require.Equal(t, []string{diff.Mode, diff.Changed}, []string{got[0].Kind, got[1].Kind})
}

// A difference of any size is shown within bounds, and what is left out is counted.
func TestTextIsBounded(t *testing.T) {
	var old, fresh strings.Builder
	for i := range 50_000 {
		old.WriteString(strings.Repeat("a", i%50) + "\n")
		fresh.WriteString(strings.Repeat("b", i%40) + "\n")
	}
	texts := files(t,
		map[string]string{"a.txt": old.String(), "b": strings.Repeat("x", 1<<20)},
		map[string]string{"a.txt": fresh.String(), "c\u202e": "1"}, 10)
	lines := diff.Text(texts, 10)
	require.Len(t, lines, 11)
	require.Regexp(t, `^… and \d+,\d+ more lines$`, lines[10])
	for _, l := range diff.Text(texts, 1000) {
		require.Less(t, len(l), 250)
	}
	long := "[" + strings.Repeat(`"`+strings.Repeat("x", 1000)+`",`, 3000) + "1]"
	values := files(t, map[string]string{"a.json": "[]"}, map[string]string{"a.json": long}, 10)
	require.Equal(t, 3001, values[0].Added)
	require.Equal(t, "… and 2,992 more lines", diff.Text(values, 10)[10])
}
