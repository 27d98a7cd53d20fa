// Package specs holds example specs; its tests keep them valid.
package specs

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/agent"
	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/inventory"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

// Every example is what it says: a valid spec, with a plan on its fleet, that an editor can
// complete.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../*/*.yaml")
	require.NoError(t, err)
	found := 0
	for _, path := range files {
		switch filepath.Base(path) {
		case "fleet.yaml":
			continue
		case "agent.yaml": // with words that its example replaces
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			text := strings.NewReplacer(
				"@AGENT@", "127.0.0.1:7311", "@ADMIN@", "127.0.0.1:8080",
				"@SITE@", "/site", "@EXAMPLE@", "/example", "@ID@", "a",
			).Replace(string(data))
			_, err = agent.Parse(path, []byte(text))
			require.NoError(t, err)
			continue
		case "check.yaml": // of sluice judge, and no spec
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			_, err = spec.ParseStandalone(path, data, catalog.New().Kinds())
			require.NoError(t, err)
			continue
		}
		found++
		t.Run(path, func(t *testing.T) {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			schema, ok := strings.CutPrefix(strings.SplitN(string(data), "\n", 2)[0], "# yaml-language-server: $schema=")
			require.True(t, ok, "the first line must name the schema")
			require.FileExists(t, filepath.Join(filepath.Dir(path), schema))
			doc, err := spec.Parse(path, data, catalog.New().Kinds())
			require.NoError(t, err)
			f, err := fleetOf(t, filepath.Dir(path), doc.Spec.Fleet)
			require.NoError(t, err)
			_, err = plan.New(doc.Spec, f, catalog.New().Kinds())
			require.NoError(t, err)
			for i, p := range doc.Spec.Parts {
				doc.Spec.Parts[i].Release = cmp.Or(p.Release, "sha256:"+strings.Repeat("0", 64)) // of a bundle
				doc.Spec.Release = doc.Spec.Composed()
			}
			_, err = catalog.New().Drivers.For(doc.Spec, nil)
			require.NoError(t, err)
		})
	}
	require.GreaterOrEqual(t, found, 8)
}

// fleetOf reads or lists the fleet of a spec in a folder.
func fleetOf(t *testing.T, dir string, source spec.FleetSource) (fleet.Fleet, error) {
	t.Helper()
	if source.Listed() {
		t.Chdir(dir)
		return inventory.List(t.Context(), source, inventory.Deps{})
	}
	path := filepath.Join(dir, source.File)
	data, err := os.ReadFile(path)
	if err != nil {
		return fleet.Fleet{}, err
	}
	return fleet.Parse(path, data)
}
