package specs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// What the documentation shows as a whole spec or fleet file is one.
func TestDocumentedExamples(t *testing.T) {
	specs, fleets := 0, 0
	for _, page := range []string{"../../README.md", "../../docs/spec.md"} {
		data, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range yamlBlock.FindAllStringSubmatch(string(data), -1) {
			switch {
			case strings.Contains(m[1], "\nunit:"):
				specs++
				_, err = spec.Parse(page, []byte(m[1]))
			case strings.HasPrefix(m[1], "targets:"):
				fleets++
				_, err = fleet.Parse(page, []byte(m[1]))
			}
			require.NoError(t, err)
		}
	}
	require.Equal(t, 2, specs)
	require.Equal(t, 1, fleets)
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
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	named := 0
	for _, page := range pages {
		data, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range namedTest.FindAllStringSubmatch(string(data), -1) {
			named++
			require.True(t, there[m[1]], "%s names %s, which is no test", page, m[1])
		}
	}
	require.NotZero(t, named)
}
