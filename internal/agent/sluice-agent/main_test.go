package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The agent is on every machine, so it is small: nothing of what orchestrates is part of it.
func TestLinksOnlyWhatItNeeds(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "sluice/internal/agent\n")
	for dep := range strings.Lines(string(out)) {
		for _, heavy := range []string{
			"go.temporal.io/", "google.golang.org/grpc", "github.com/prometheus/prometheus", "k8s.io/",
			"sluicehq/sluice/workflows", "sluicehq/sluice/activities", "sluicehq/sluice/internal/spec", "sluicehq/sluice/internal/driver",
		} {
			require.False(t, strings.HasPrefix(dep, heavy) || strings.Contains(dep, heavy), "it links %s", dep)
		}
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "agent.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	valid := "folder: " + dir + "/agent\nlisten: 127.0.0.1:0\nunits:\n  features: {to: " + dir + "/app}\n"
	for name, c := range map[string]struct {
		text, want string
		args       []string
	}{
		"no file":         {want: "no such file"},
		"a mistake":       {text: valid + "  flags: {}\n", want: "agent.yaml:5:10: units.flags.to: is missing"},
		"an argument":     {text: valid, args: []string{"now"}, want: `"now" is not a flag`},
		"a real folder":   {text: strings.Replace(valid, dir+"/app", dir, 1), want: "is in the way of folder"},
		"nowhere to be":   {text: strings.Replace(valid, dir+"/app", dir+"/no/app", 1), want: "is not in a folder"},
		"an unknown user": {text: strings.Replace(valid, "}\n", ", run: nobody-of-that-name}\n", 1), want: "nobody-of-that-name"},
	} {
		_ = os.Remove(file)
		if c.text != "" {
			write(c.text)
		}
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), append([]string{"--config", file}, c.args...), &stdout, &stderr)
		require.ErrorContains(t, err, c.want, name)
	}
	write(valid)
	var stdout, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"--config", file, "--check"}, &stdout, &stderr))
	require.Contains(t, stdout.String(), "is valid: 1 units")
}
