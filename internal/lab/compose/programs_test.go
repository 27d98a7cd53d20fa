package compose

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// The programs themselves are asked whether they know the flags that they are given: with --help
// behind those, they stop at the first that they do not know, or else print their usage.
func TestFlagsExist(t *testing.T) {
	p := load(t)
	for service, name := range ours(t, p) {
		if name == "sluice" {
			continue // its arguments are the user's
		}
		path := program(t, name)
		require.Empty(t, complaint(t, path, p.Services[service].Command[1:]), service)
	}
	require.Contains(t, complaint(t, program(t, "sluice-sim"), []string{"--no-such-flag=1"}), "no-such-flag")
}

// complaint is what a program says against its flags.
func complaint(t *testing.T, path string, flags []string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), path, append(slices.Clone(flags), "--help")...).CombinedOutput()
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "not defined") || strings.Contains(line, "invalid value") {
			return line
		}
	}
	require.Contains(t, string(out), "-listen", "%s printed no usage", path)
	return ""
}

// Prometheus reads every page that Sluice's services offer, and no other; all of them on the one
// loopback that they share.
func TestPrometheusReadsWhatListens(t *testing.T) {
	p := load(t)
	var listening []string
	for service, name := range ours(t, p) {
		if name == "sluice" {
			continue
		}
		require.Equal(t, "service:prometheus", p.Services[service].NetworkMode, service)
		listen := flagOf(p.Services[service].Command, "--listen")
		require.Regexp(t, `^127\.0\.0\.1:\d+$`, listen, service)
		listening = append(listening, listen)
	}
	var config struct {
		Scrape []struct {
			Static []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	text, err := os.ReadFile(filepath.Join(root(t), "examples/compose/prometheus.yml"))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &config))
	var read []string
	for _, job := range config.Scrape {
		for _, s := range job.Static {
			read = append(read, s.Targets...)
		}
	}
	require.ElementsMatch(t, listening, read)
}

func flagOf(argv []string, name string) string {
	for _, arg := range argv {
		if value, ok := strings.CutPrefix(arg, name+"="); ok {
			return value
		}
	}
	return ""
}

// Prometheus' own tool reads its configuration.
func TestPrometheusConfigParses(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("SLUICE_REQUIRE_E2E") == "" {
		t.Skip("promtool is not installed: it comes with Debian's prometheus")
	}
	require.NoError(t, err)
	config := filepath.Join(root(t), "examples/compose/prometheus.yml")
	out, err := exec.CommandContext(t.Context(), promtool, "check", "config", config).CombinedOutput()
	require.NoError(t, err, string(out))
}

// The fleet file beside the spec is the one that the fleet itself writes when it is started as the
// service is.
func TestFleetFileIsTheFleets(t *testing.T) {
	argv := load(t).Services["sluice-sim"].Command
	listen := flagOf(argv, "--listen")
	dir := t.TempDir()
	file, ready := filepath.Join(dir, "fleet.yaml"), filepath.Join(dir, "ready")
	flags := slices.Clone(argv[1:])
	for i, f := range flags {
		if strings.HasPrefix(f, "--listen=") {
			flags[i] = "--listen=127.0.0.1:0"
		}
		if strings.HasPrefix(f, "--state-dir=") {
			flags[i] = "--state-dir=" + filepath.Join(dir, "state")
		}
	}
	sim := exec.CommandContext(t.Context(), program(t, "sluice-sim"), append(flags, "--fleet-file="+file, "--ready-file="+ready)...)
	sim.Stderr = t.Output()
	require.NoError(t, sim.Start())
	t.Cleanup(func() { _ = sim.Process.Kill(); _ = sim.Wait() })
	require.Eventually(t, func() bool { _, err := os.Stat(ready); return err == nil }, time.Minute, 10*time.Millisecond)
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	kept, err := os.ReadFile(filepath.Join(root(t), "examples/compose/fleet.yaml"))
	require.NoError(t, err)
	anywhere := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	require.Equal(t, anywhere.ReplaceAllString(string(written), listen), string(kept))
}
