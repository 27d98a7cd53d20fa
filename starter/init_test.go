package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// fleetOf writes a fleet file of some addresses.
func fleetOf(t *testing.T, dir string, addresses ...string) string {
	t.Helper()
	text := "targets:\n"
	for i, a := range addresses {
		text += fmt.Sprintf("  - {id: web-%d, address: %q}\n", i+1, a)
	}
	path := filepath.Join(dir, "fleet.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// What init writes is valid as it is, for each driver, and says what it lacks; the spec names the
// fleet file from where it lies.
func TestInit(t *testing.T) {
	for _, driver := range []string{"http", "exec"} {
		dir := t.TempDir()
		fleet := fleetOf(t, dir, "10.1.0.1:8080", "10.1.0.2:8080")
		require.NoError(t, os.Mkdir(filepath.Join(dir, "specs"), 0o700))
		out := filepath.Join(dir, "specs", "edge.yaml")
		r := sluice(t, "", "init", "--unit", "edge", "--driver", driver, "--fleet", fleet, "--out", out)
		require.Equal(t, exitOK, r.code, r.errOut)
		require.Contains(t, r.out, "ok: edge 0.0.0-change-me, 2 targets in 2 stages, 3 checks")
		require.Contains(t, r.out, "  - errors: http_requests_total with a label code is a guess")
		require.Equal(t, exitOK, sluice(t, "", "validate", out).code)
		text, err := os.ReadFile(out)
		require.NoError(t, err)
		for _, want := range []string{"each: target", "probe: {http:", driver + ":", "# Missing:"} {
			require.Contains(t, string(text), want)
		}
		planned := sluice(t, "", "plan", out).out
		require.NotContains(t, planned, "one target with errors among many")
		require.NotContains(t, planned, "answers nobody")

		r = sluice(t, "", "init", "--unit", "other", "--fleet", fleet, "--out", out)
		require.Equal(t, exitInvalid, r.code)
		require.Contains(t, r.errOut, "is not overwritten")
		after, err := os.ReadFile(out)
		require.NoError(t, err)
		require.Equal(t, text, after)
	}
}

// For agents the release is a folder of files; where agents listen is a label of the targets, or a
// guess.
func TestInitForAgents(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	require.NoError(t, os.MkdirAll("features", 0o700))
	require.NoError(t, os.WriteFile(filepath.Join("features", "features.json"), []byte("{}"), 0o600))
	fleet := fleetOf(t, dir, "10.1.0.1:8080")
	r := sluice(t, "", "init", "--unit", "features", "--driver", "agent", "--bundle", "features", "--out", "guess.yaml")
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Contains(t, r.out, "where agents listen: http://{{address}} is a guess")
	require.NotContains(t, r.out, "the release:")

	require.NoError(t, os.WriteFile(fleet, []byte(`targets: [{id: web-1, address: "10.1.0.1:8080", labels: {agent: "10.1.0.1:7311"}}]`), 0o600))
	require.NoError(t, os.Mkdir("specs", 0o700))
	out := filepath.Join("specs", "rollout.yaml")
	r = sluice(t, "", "init", "--unit", "features", "--driver", "agent", "--bundle", "features", "--out", out)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.NotContains(t, r.out, "is a guess: give each target")
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	for _, want := range []string{"bundle: '../features' #", "fallback: remove #", "agent: {url: 'http://{{label.agent}}'}"} {
		require.Contains(t, string(text), want)
	}
	require.NotContains(t, string(text), "release:")
	require.Equal(t, exitOK, sluice(t, "", "validate", out).code)
}

func TestInitLooks(t *testing.T) {
	page := "# TYPE http_requests_total counter\nhttp_requests_total{status=\"200\"} 5000\nhttp_requests_total{status=\"502\"} 10\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) }))
	defer server.Close()
	dir := t.TempDir()
	fleet := fleetOf(t, dir, strings.TrimPrefix(server.URL, "http://"), "10.1.0.2:8080")
	out := filepath.Join(dir, "rollout.yaml")
	args := []string{"init", "--unit", "edge", "--fleet", fleet, "--out", out, "--page", server.URL + "/metrics", "--output", "json"}
	r := sluice(t, "", args...)
	require.Equal(t, exitOK, r.code, r.errOut)
	var got struct {
		File           string
		OK             bool
		Found, Missing []string
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &got))
	require.True(t, got.OK)
	require.Equal(t, out, got.File)
	require.Contains(t, got.Found, `errors: http_requests_total{status=~"5.."} of http_requests_total`)
	require.Contains(t, strings.Join(got.Missing, "\n"), "latency: no histogram")

	require.NoError(t, os.Remove(out))
	page = "<html>sign in</html>"
	r = sluice(t, "", args...)
	oneFailure(t, exitInvalid, r)
	require.Contains(t, r.out, "no metrics page")
	require.NoFileExists(t, out)
}

// On a terminal init asks for what is not given; elsewhere it takes what is usual.
func TestInitAsks(t *testing.T) {
	page := "# TYPE http_requests_total counter\nhttp_requests_total{status=\"200\"} 5000\nhttp_requests_total{status=\"502\"} 10\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/numbers" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, page)
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	for name, tt := range map[string]struct {
		answers []string
		code    int
		want    string
	}{
		"a page": {[]string{"edge", "2.0.0", "FLEET", "http://{{address}}/numbers"}, exitOK, "from the page " + server.URL + "/numbers"},
		"no page, a Prometheus": {
			[]string{"edge", "2.0.0", "FLEET", "", "http://" + nowhere(t)}, exitInvalid, "ask Prometheus at",
		},
		"neither":                   {[]string{"edge", "", "FLEET", "", ""}, exitOK, "wrote "},
		"a fleet that is not there": {[]string{"edge", "", ""}, exitInvalid, "no fleet file fleet.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			fleet := fleetOf(t, t.TempDir(), address, "10.1.0.2:8080")
			r := typed(t, strings.ReplaceAll(strings.Join(tt.answers, "\n"), "FLEET", fleet)+"\n", "init")
			require.Equal(t, tt.code, r.code, r.errOut)
			require.Contains(t, r.out+r.errOut, tt.want)
			if name == "a page" {
				text, err := os.ReadFile("rollout.yaml")
				require.NoError(t, err)
				require.Contains(t, string(text), "scrape: {url: 'http://{{address}}/numbers'}")
			}
		})
	}
}

// typed runs a command with a terminal on which somebody has typed.
func typed(t *testing.T, keys string, args ...string) ran {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	defer func() { require.NoError(t, keyboard.Close()) }()
	require.NoError(t, unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	in, err := os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, in.Close()) }()
	_, err = keyboard.WriteString(keys)
	require.NoError(t, err)
	var out, errOut bytes.Buffer
	code := run(t.Context(), append([]string{"sluice"}, args...), in, &out, &errOut)
	return ran{code, out.String(), errOut.String()}
}

// What cannot be meant is said, and nothing is written.
func TestInitRefuses(t *testing.T) {
	dir := t.TempDir()
	fleet := fleetOf(t, dir, "10.1.0.1:8080")
	for want, args := range map[string][]string{
		"init needs --unit":            {"--fleet", fleet},
		"expected http, exec or agent": {"--unit", "edge", "--fleet", fleet, "--driver", "ssh"},
		"needs the files":              {"--unit", "edge", "--fleet", fleet, "--driver", "agent"},
		"--bundle and --release":       {"--unit", "edge", "--fleet", fleet, "--bundle", dir, "--release", "1"},
		"no such file":                 {"--unit", "edge", "--fleet", fleet, "--bundle", "nowhere"},
		"exclude each other: a spec":   {"--unit", "edge", "--fleet", fleet, "--page", "http://a/", "--prometheus", "http://b"},
		"no fleet file nowhere.yaml":   {"--unit", "edge", "--fleet", "nowhere.yaml"},
		`"Edge" is not a unit`:         {"--unit", "Edge", "--fleet", fleet},
		"--bake \"soon\"":              {"--unit", "edge", "--fleet", fleet, "--bake", "soon"},
		"no page, expected a URL":      {"--unit", "edge", "--fleet", fleet, "--page", "metrics"},
		"is no target's of the fleet":  {"--unit", "edge", "--fleet", fleet, "--page", "http://10.9.9.9/metrics"},
		"expected the base URL":        {"--unit", "edge", "--fleet", fleet, "--prometheus", "prometheus"},
		"has a user or a password":     {"--unit", "edge", "--fleet", fleet, "--prometheus", "http://a:b@10.1.0.1"},
		"is not a release":             {"--unit", "edge", "--fleet", fleet, "--release", "a b"},
	} {
		out := filepath.Join(dir, "rollout.yaml")
		r := sluice(t, "", append([]string{"init", "--out", out}, args...)...)
		require.Equal(t, exitInvalid, r.code, want)
		require.Contains(t, r.errOut, want)
		require.NoFileExists(t, out)
	}
}
