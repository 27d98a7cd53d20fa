package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/reference"
	"github.com/stretchr/testify/require"
)

func TestEveryPartIsThere(t *testing.T) {
	p := load(t)
	require.Equal(t, []string{
		"postgresql", "prometheus", "sluice", "sluice-sim", "sluice-worker", "sluice-worker-2",
		"temporal", "temporal-namespace", "temporal-schema", "temporal-ui",
	}, p.ServiceNames())
}

// A tag that moves is a release that nobody decided on.
func TestImagesArePinned(t *testing.T) {
	for name, s := range load(t).Services {
		requirePinned(t, name, s.Image)
	}
	text, err := os.ReadFile(filepath.Join(root(t), "examples/compose/Dockerfile"))
	require.NoError(t, err)
	from := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(string(text), -1)
	require.Len(t, from, 2)
	for _, image := range from {
		requirePinned(t, "Dockerfile", image[1])
	}
	require.Contains(t, from[0][1], "golang:"+goVersion(t)+"-", "the Dockerfile builds with the Go of make test")
}

// goVersion is the version that the nested modules ask for, which is what the tests run with at
// least.
func goVersion(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	return regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(string(text))[1]
}

func requirePinned(t *testing.T, where, image string) {
	t.Helper()
	named, err := reference.ParseNormalizedNamed(image)
	require.NoError(t, err, "%s: %s", where, image)
	tagged, ok := named.(reference.Tagged)
	require.True(t, ok, "%s: %s has no tag", where, image)
	require.NotEqual(t, "latest", tagged.Tag(), "%s: %s", where, image)
	if image != own {
		require.Regexp(t, `^v?\d+\.\d+`, tagged.Tag(), "%s: the tag of %s names no version", where, image)
	}
}

func TestPortsAreOnLoopback(t *testing.T) {
	p, published := load(t), map[string]string{}
	for name, s := range p.Services {
		require.NotEqual(t, "host", s.NetworkMode, name)
		require.False(t, s.Privileged, name)
		for _, port := range s.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, "%s publishes %s for everybody", name, port.Published)
			require.Empty(t, published[port.Published], "%s and %s publish %s", name, published[port.Published], port.Published)
			published[port.Published] = name
		}
	}
	require.Equal(t, map[string]string{"7233": "temporal", "8233": "temporal-ui", "9090": "prometheus"}, published)
}

func TestDependenciesExist(t *testing.T) {
	p := load(t)
	for name, s := range p.Services {
		for other, d := range s.DependsOn {
			require.Contains(t, p.Services, other, name)
			if d.Condition == types.ServiceConditionHealthy {
				require.NotNil(t, p.Services[other].HealthCheck, "%s waits for the health of %s, which has no check", name, other)
			}
			if d.Condition == types.ServiceConditionCompletedSuccessfully {
				require.Empty(t, p.Services[other].Restart, "%s waits for the end of %s, which is started again", name, other)
			}
		}
		if other, shares := strings.CutPrefix(s.NetworkMode, "service:"); shares {
			require.Contains(t, s.DependsOn, other, "%s needs the network of %s", name, other)
			require.Empty(t, s.Ports, "%s has no network of its own to publish ports of", name)
		}
	}
}

func TestMountedFilesExist(t *testing.T) {
	p := load(t)
	for name, s := range p.Services {
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind {
				_, err := os.Stat(v.Source)
				require.NoError(t, err, name)
				require.True(t, v.ReadOnly, "%s may write to %s", name, v.Source)
			}
		}
		if s.Build != nil {
			require.FileExists(t, filepath.Join(s.Build.Context, s.Build.Dockerfile), name)
		}
	}
}

// What a service's shell is to run is at least a script.
func TestScriptsParse(t *testing.T) {
	found := 0
	for name, s := range load(t).Services {
		if len(s.Entrypoint) == 0 || s.Entrypoint[0] != "/bin/sh" {
			continue
		}
		found++
		require.Len(t, s.Command, 1, name)
		script := strings.ReplaceAll(s.Command[0], "$$", "$")
		out, err := exec.CommandContext(t.Context(), "/bin/sh", "-n", "-c", script).CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
	}
	require.Equal(t, 2, found)
}
