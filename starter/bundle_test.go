package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle"
)

// features is a folder with a spec, a fleet and a bundle beside them.
func features(t *testing.T, spec string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"fleet.yaml":           "targets:\n  - {id: a, address: 127.0.0.1:1}\n  - {id: b, address: 127.0.0.1:2}\n",
		"features/a.json":      `{"on": true}`,
		"features/rules/eu.js": "1",
		"spec.yaml":            strings.ReplaceAll(featuresSpec, "RELEASE", spec),
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

const featuresSpec = `unit: features
RELEASE
fleet: fleet.yaml
driver: {agent: {}}
stages: [{name: canary, count: 1, bake: 5m}, {name: everyone, reach: 100%, bake: 5m}]
health: {scrape: {}, checks: [{name: errors, bad: bad_total, total: all_total, max: 1%}]}
`

func TestBundleCommands(t *testing.T) {
	dir := features(t, "")
	folder, kept := filepath.Join(dir, "features"), filepath.Join(dir, "store")
	built := sluice(t, "", "bundle", "build", folder, "--store", kept)
	require.Equal(t, exitOK, built.code, built.errOut)
	digest := strings.TrimSpace(built.out)
	require.True(t, bundle.IsRelease(digest))

	var view bundleView
	asJSON := sluice(t, "", "bundle", "build", folder, "-o", "json")
	require.NoError(t, json.Unmarshal([]byte(asJSON.out), &view))
	require.Equal(t, digest, view.Digest)
	for _, args := range [][]string{{"inspect", folder}, {"inspect", digest, "--store", kept}} {
		r := sluice(t, "", append([]string{"bundle"}, args...)...)
		require.Equal(t, exitOK, r.code, r.errOut)
		require.Contains(t, r.out, "0644  12  ")
		require.Contains(t, r.out, "rules/eu.js")
	}
	require.Equal(t, exitOK, sluice(t, "", "bundle", "verify", digest, "--store", kept).code)

	damaged := filepath.Join(kept, "blobs", "sha256", strings.TrimPrefix(view.Archive.Digest, "sha256:"))
	require.NoError(t, os.WriteFile(damaged, []byte("x"), 0o600))
	r := sluice(t, "", "bundle", "verify", digest, "--store", kept)
	require.Equal(t, exitInvalid, r.code)
	require.Contains(t, r.errOut, "not a valid bundle: its archive has 1 bytes")
}

func TestBundleMistakes(t *testing.T) {
	dir := features(t, "")
	folder := filepath.Join(dir, "features")
	require.NoError(t, os.Symlink("/etc", filepath.Join(folder, "etc")))
	other := "sha256:" + strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"link":         {[]string{"build", folder}, "features: etc: it is a symbolic link"},
		"no folder":    {[]string{"build", filepath.Join(dir, "none")}, "none: no such file or directory"},
		"cut":          {[]string{"inspect", "sha256:ddda1e72ce2e"}, "the name of a bundle has 64 digits"},
		"a file":       {[]string{"build", filepath.Join(dir, "spec.yaml")}, "spec.yaml: not a directory"},
		"no argument":  {[]string{"build"}, "bundle build needs DIR"},
		"no command":   {nil, "bundle needs one of build, inspect, diff, verify, push, pull, sign after it"},
		"no store":     {[]string{"verify", other}, "name it with --store FOLDER, or in SLUICE_STORE"},
		"not there":    {[]string{"verify", other, "--store", dir}, other + " is not in the store"},
		"one of two":   {[]string{"diff", folder}, "bundle diff needs OLD NEW"},
		"too many":     {[]string{"diff", folder, folder, folder}, "unexpected argument"},
		"lines":        {[]string{"diff", folder, folder, "--lines", "0"}, "expected 1 to 100000"},
		"diff of none": {[]string{"diff", other, folder, "--store", dir}, other + " is not in the store"},
		"diff a link":  {[]string{"diff", folder, dir}, "features: etc: it is a symbolic link"},
		"not a digest": {[]string{"verify", "v1"}, `"v1" is not the name of a bundle`},
	} {
		t.Run(name, func(t *testing.T) {
			r := sluice(t, "", append([]string{"bundle"}, c.args...)...)
			require.Equal(t, exitInvalid, r.code)
			require.Contains(t, r.errOut, c.want)
			require.Empty(t, r.out)
		})
	}
}

func TestBundleDiff(t *testing.T) {
	dir := features(t, "")
	folder, kept := filepath.Join(dir, "features"), filepath.Join(dir, "store")
	digest := strings.TrimSpace(sluice(t, "", "bundle", "build", folder, "--store", kept).out)
	r := sluice(t, "", "bundle", "diff", digest, folder, "--store", kept)
	require.Equal(t, ran{out: "no difference\n"}, r)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a.json"), []byte(`{"on": "\u202e", "new": 1}`), 0o600))
	r = sluice(t, "", "bundle", "diff", digest, folder, "--store", kept)
	require.Equal(t, "a.json: 1 value changed, 1 value added\n  ~ /on: true -> \"\\u202e\"\n  + /new: 1\n", r.out)
	r = sluice(t, "", "bundle", "diff", digest, folder, "--store", kept, "--lines", "1")
	require.Equal(t, "a.json: 1 value changed, 1 value added\n… and 2 more lines\n", r.out)

	var view struct {
		Old, New string
		Files    []struct {
			Path, Kind, Form        string
			Added, Removed, Changed int
		}
	}
	r = sluice(t, "", "bundle", "diff", digest, folder, "--store", kept, "-o", "json")
	require.NoError(t, json.Unmarshal([]byte(r.out), &view))
	require.Equal(t, digest, view.Old)
	require.Len(t, view.Files, 1)
	require.Equal(t, []any{"a.json", "changed", "values", 1, 0, 1}, []any{
		view.Files[0].Path, view.Files[0].Kind, view.Files[0].Form, view.Files[0].Added, view.Files[0].Removed, view.Files[0].Changed,
	})
}

// A spec that names a folder has the release that its files are, and another one once they change.
func TestSpecWithBundle(t *testing.T) {
	dir := features(t, "bundle: ./features\nversion: v7")
	spec := filepath.Join(dir, "spec.yaml")
	release := func() string {
		r := sluice(t, "", "validate", spec, "-o", "json")
		require.Equal(t, exitOK, r.code, r.errOut)
		var ok struct{ Release string }
		require.NoError(t, json.Unmarshal([]byte(r.out), &ok))
		return ok.Release
	}
	first := release()
	require.Equal(t, first, strings.TrimSpace(sluice(t, "", "bundle", "build", filepath.Join(dir, "features")).out))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "features", "a.json"), []byte("{}"), 0o600))
	require.NotEqual(t, first, release())

	r := sluice(t, "", "start", spec, "--by", "ann", "--address", nowhere(t))
	require.Equal(t, exitInvalid, r.code)
	require.Contains(t, r.errOut, "name their store with --store FOLDER, or in SLUICE_STORE")

	require.NoError(t, os.Symlink("a.json", filepath.Join(dir, "features", "b.json")))
	r = sluice(t, "", "validate", spec)
	require.Equal(t, exitInvalid, r.code)
	require.Contains(t, r.errOut, "spec.yaml:2:9: bundle: ")
	require.Contains(t, r.errOut, "b.json: it is a symbolic link")
}

func TestAgentTakesBundlesOnly(t *testing.T) {
	r := sluice(t, "", "validate", filepath.Join(features(t, "release: v7"), "spec.yaml"))
	require.Equal(t, exitInvalid, r.code)
	require.Contains(t, r.errOut, "spec.yaml:2:10: release: the driver agent takes bundles")
	named := "release: sha256:" + strings.Repeat("0", 64)
	require.Equal(t, exitOK, sluice(t, "", "validate", filepath.Join(features(t, named), "spec.yaml")).code)
}
