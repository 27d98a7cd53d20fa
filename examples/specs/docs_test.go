package specs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/agent"
	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/simulate/outages"
	"github.com/sluicehq/sluice/internal/spec"
)

// pages are those in the root, and every page of docs/, examples/ and internal/lab/.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../*/*.md", "../../internal/lab/*.md"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			all[file] = string(data)
		}
	}
	return all
}

var (
	yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	bundled   = regexp.MustCompile(`(?m)^bundle:`)
	released  = regexp.MustCompile(`(?m)^(release|parts):`)
	topLevel  = regexp.MustCompile(`(?m)^([a-zA-Z]+):`)
)

// rest is what a block of the documentation leaves out: it becomes a whole spec with it.
var rest = []struct{ field, text string }{
	{"unit", "unit: edge-proxy\n"},
	{"fleet", "fleet: fleet.yaml\n"},
	{"driver", "driver: {http: {}}\n"},
	{"stages", "stages: [{name: all, reach: 100%, bake: 5m}]\n"},
	{"health", "health: {scrape: {}, checks: [{name: errors, bad: errors_total, total: requests_total, max: 1%}]}\n"},
}

// Every YAML block of the documentation is a spec, a fleet file, an agent's file, or a part of a
// spec.
func TestDocumentedYAML(t *testing.T) {
	found := 0
	for page, text := range pages(t) {
		for _, m := range yamlBlock.FindAllStringSubmatch(text, -1) {
			found++
			block := m[1]
			if strings.HasPrefix(block, "targets:") {
				_, err := fleet.Parse(page, []byte(block))
				require.NoError(t, err, block)
				continue
			}
			if strings.Contains(block, "\nunits:") { // docs/agent.md
				_, err := agent.Parse(page, []byte(block))
				require.NoError(t, err, block)
				continue
			}
			if strings.Contains(block, "\nfaults:") { // docs/simulate.md
				_, err := outages.Parse(page, []byte(block))
				require.NoError(t, err, block)
				continue
			}
			if strings.HasPrefix(block, "checks:") {
				block = "health:\n  without: [traffic]\n  " + strings.ReplaceAll(strings.TrimRight(block, "\n"), "\n", "\n  ") + "\n"
			}
			for _, r := range rest {
				given := func(m []string) bool { return m[1] == r.field || m[1] == "parts" && r.field == "driver" }
				if !slices.ContainsFunc(topLevel.FindAllStringSubmatch(block, -1), given) {
					block += r.text
				}
			}
			if !bundled.MatchString(block) && !released.MatchString(block) {
				block += "release: \"2.4.1\"\n"
			}
			_, err := spec.Parse(page, []byte(block), catalog.New().Kinds())
			require.NoError(t, err, block)
		}
	}
	require.Greater(t, found, 8)
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```")
	inSlug  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// Every link of the documentation leads to a file that is there, and to a heading in it.
func TestDocumentedLinks(t *testing.T) {
	all := pages(t)
	slugs := func(page string) map[string]bool {
		found := map[string]bool{}
		for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(all[page], ""), -1) {
			found[strings.ReplaceAll(inSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
		}
		return found
	}
	for page, text := range all {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			path, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			file := page
			if path != "" {
				file = filepath.Join(filepath.Dir(page), path)
			}
			_, err := os.Stat(file)
			require.NoError(t, err, "%s links to %s", page, m[1])
			if anchor != "" {
				require.True(t, slugs(file)[anchor], "%s links to %s, which has no such heading", page, m[1])
			}
		}
	}
}

var (
	namedTest = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	testFunc  = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
)

// A test that the documentation names is there.
func TestDocumentedTests(t *testing.T) {
	there := map[string]bool{}
	require.NoError(t, filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			var data []byte
			data, err = os.ReadFile(path)
			for _, m := range testFunc.FindAllSubmatch(data, -1) {
				there[string(m[1])] = true
			}
		}
		return err
	}))
	named := 0
	for page, text := range pages(t) {
		for _, m := range namedTest.FindAllStringSubmatch(text, -1) {
			named++
			require.True(t, there[m[1]], "%s names %s, which is no test", page, m[1])
		}
	}
	require.NotZero(t, named)
}
