package specs

import (
	"os"
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
