package fleet_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/terminal"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestParse(t *testing.T) {
	want := fleet.Fleet{Targets: []fleet.Target{
		{ID: "1.10", Address: "10.1.0.1:8080", Labels: map[string]string{"region": "eu", "version": "1.10"}},
		{ID: "fra-07", Address: "[::1]:80/site/a"},
	}}
	for name, text := range map[string]string{
		"YAML": "targets:\n  - {id: fra-07, address: \"[::1]:80/site/a\"}\n  - id: 1.10\n    address: 10.1.0.1:8080\n    labels: {region: eu, version: 1.10}\n",
		"JSON": `{"targets":[{"id":"fra-07","address":"[::1]:80/site/a"},{"id":"1.10","address":"10.1.0.1:8080","labels":{"region":"eu","version":"1.10"}}]}`,
	} {
		got, err := fleet.Parse("fleet.yaml", []byte(text))
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
}

// TestParseInvalid compares the problems of every file in testdata/invalid with the golden file
// beside it. A new case is a new file; -update writes its golden.
func TestParseInvalid(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			_, err = fleet.Parse(filepath.Base(file), data)
			require.Error(t, err)
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644))
			}
			want, readErr := os.ReadFile(golden)
			require.NoError(t, readErr, "run with -update to write it")
			require.Equal(t, string(want), err.Error()+"\n")
		})
	}
}

func TestParseLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 100,000 targets")
	}
	var text strings.Builder
	text.WriteString("targets:\n")
	for i := range 100_000 {
		fmt.Fprintf(&text, "  - {id: host-%06d, address: 10.%d.%d.%d:8080, labels: {region: r%d, tier: paying}}\n", 999_999-i, i>>16, i>>8&255, i&255, i%7)
	}
	start := time.Now()
	f, err := fleet.Parse("fleet.yaml", []byte(text.String()))
	require.NoError(t, err)
	require.Len(t, f.Targets, 100_000)
	require.Equal(t, "host-900000", f.Targets[0].ID)
	t.Logf("%d bytes in %s", text.Len(), time.Since(start))

	_, err = fleet.Parse("fleet.yaml", make([]byte, fleet.MaxBytes+1))
	require.ErrorContains(t, err, "expected at most 64 MiB")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("targets: [{id: a, address: \"b:1\", labels: {c: d}}]"))
	f.Add([]byte("targets:\n- &a {id: a, address: b}\n- *a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := fleet.Parse("fleet.yaml", data)
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				require.Equal(t, terminal.Safe(strings.TrimSuffix(line, "\n")), strings.TrimSuffix(line, "\n"), "a terminal acts on it")
			}
			return
		}
		_, snapshot, err := fleet.Encode(got) // accepts only what is sorted, unique and not empty
		require.NoError(t, err)
		back, err := fleet.Decode(snapshot)
		require.NoError(t, err)
		require.Len(t, back.Targets, len(got.Targets))
	})
}

// A target from elsewhere is held to the rules of a fleet file.
func TestCheck(t *testing.T) {
	good := fleet.Target{ID: "a", Address: "b:1", Labels: map[string]string{"region": "eu"}}
	require.NoError(t, good.Check())
	for want, spoil := range map[string]func(*fleet.Target){
		"id: is required":                  func(t *fleet.Target) { t.ID = "" },
		`id: "a b" is not an id`:           func(t *fleet.Target) { t.ID = "a b" },
		"address: is required":             func(t *fleet.Target) { t.Address = "" },
		"address: has a user or a passwor": func(t *fleet.Target) { t.Address = "me:hunter2@b" },
		`label region: "\n" holds a chara`: func(t *fleet.Target) { t.Labels = map[string]string{"region": "\n"} },
		`label 1x: "1x" is not a label`:    func(t *fleet.Target) { t.Labels = map[string]string{"1x": ""} },
	} {
		bad := good
		spoil(&bad)
		require.ErrorContains(t, bad.Check(), want)
		require.NotContains(t, bad.Check().Error(), "hunter2")
	}
}
