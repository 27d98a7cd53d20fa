// Package compose checks the repository's docker-compose.yml, as far as that goes without Docker.
// It is a module of its own, so that the reader of compose files stays out of Sluice's go.sum.
package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

// own is the image that is built from this repository.
const own = "sluice:local"

// root is the repository.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	require.NoError(t, err)
	return dir
}

// load reads the file as Docker does: its schema, its anchors and variables, and that what it
// refers to exists.
func load(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root(t), "docker-compose.yml")}, cli.WithProfiles([]string{"*"}))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

// ours are the services that run Sluice's programs, and the program's name.
func ours(t *testing.T, p *types.Project) map[string]string {
	t.Helper()
	found := map[string]string{}
	for name, s := range p.Services {
		if s.Image == own {
			argv := append(append([]string{}, s.Entrypoint...), s.Command...)
			require.NotEmpty(t, argv, name)
			found[name] = argv[0]
		}
	}
	require.Len(t, found, 4)
	return found
}

// program is the path of one of Sluice's programs: in SLUICE_BIN, where make has put it, or built
// now.
func program(t *testing.T, name string) string {
	t.Helper()
	if dir := os.Getenv("SLUICE_BIN"); dir != "" {
		path := filepath.Join(dir, name)
		require.FileExists(t, path)
		return path
	}
	source := map[string]string{"sluice": "./starter", "sluice-worker": "./worker", "sluice-sim": "./internal/lab/sim/cmd/sluice-sim"}[name]
	require.NotEmpty(t, source, "no such program: %s", name)
	path := filepath.Join(t.TempDir(), name)
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, source)
	build.Dir = root(t)
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}
