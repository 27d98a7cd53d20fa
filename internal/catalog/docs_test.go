package catalog_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
)

// Everything that a spec can name is in the documentation.
func TestDocumented(t *testing.T) {
	kinds := catalog.New().Kinds()
	var drivers []string
	for _, d := range kinds.Drivers {
		drivers = append(drivers, d.Name)
	}
	for page, names := range map[string][]string{
		"drivers.md": drivers, "health.md": append(kinds.SourceNames(), kinds.FormNames()...),
	} {
		text, err := os.ReadFile("../../docs/" + page)
		require.NoError(t, err)
		require.NotEmpty(t, names)
		for _, name := range names {
			require.Contains(t, string(text), "`"+name, "docs/%s", page)
		}
	}
}
