package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shop is a folder with a spec of two parts, a release and a bundle.
func shop(t *testing.T, validate string) (dir, path string) {
	t.Helper()
	dir = features(t, "")
	path = filepath.Join(dir, "shop.yaml")
	text := strings.NewReplacer("unit: features\n", "unit: shop\n", "driver: {agent: {}}\n", "").Replace(strings.ReplaceAll(featuresSpec, "RELEASE", `version: v7
parts:
  - {unit: app, release: 2.4.0, driver: {http: {}}}
  - {unit: features, bundle: ./features, driver: {agent: {}}`+validate+`}`))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return dir, path
}

// A spec with parts has a release that names each of theirs; plan and the screens show them.
func TestSpecWithParts(t *testing.T) {
	dir, path := shop(t, "")
	digest := strings.TrimSpace(sluice(t, "", "bundle", "build", filepath.Join(dir, "features")).out)
	r := sluice(t, "", "validate", path, "-o", "json")
	require.Equal(t, exitOK, r.code, r.errOut)
	var ok struct{ Release string }
	require.NoError(t, json.Unmarshal([]byte(r.out), &ok))
	require.Equal(t, "app=2.4.0,features="+digest, ok.Release)

	r = sluice(t, "", "plan", path, "--no-predict")
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Contains(t, r.out, "shop v7 (app=2.4.0,features="+digest[:19]+") on 2 targets")
	require.Contains(t, r.out, "each target changes, in this order, app 2.4.0 (http), then features "+digest[:19]+" (agent); and goes back in reverse")

	r = sluice(t, "", "start", path, "--by", "ann", "--address", nowhere(t))
	require.Equal(t, exitInvalid, r.code)
	require.Contains(t, r.errOut, "features needs a place that the workers read: name their store with --store FOLDER")

	require.NoError(t, os.Symlink("a.json", filepath.Join(dir, "features", "b.json")))
	r = sluice(t, "", "validate", path)
	require.Equal(t, exitInvalid, r.code)
	require.Contains(t, r.errOut, "shop.yaml:5:30: parts[1].bundle: ")
	require.Contains(t, r.errOut, "b.json: it is a symbolic link")
}

// Every bundle is kept in the store, and the spec that is sent names them.
func TestPartsAreKept(t *testing.T) {
	dir, path := shop(t, "")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	l, err := loadText(t.Context(), testConsole(&bytes.Buffer{}, &bytes.Buffer{}), path, text, puller{})
	require.NoError(t, err)
	storeDir := filepath.Join(dir, "store")
	sub, err := submission(t.Context(), l, "ann", storeDir)
	require.NoError(t, err)
	require.Equal(t, sub.Spec.Release, sub.Spec.Composed())
	require.Equal(t, exitOK, sluice(t, "", "bundle", "verify", sub.Spec.Parts[1].Release, "--store", storeDir).code)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "features", "a.json"), []byte("{}"), 0o600))
	_, err = submission(t.Context(), l, "ann", storeDir)
	require.ErrorContains(t, err, "have changed meanwhile")
}

// What is said of a part's files is looked at, also against what the fleet runs of that part.
func TestPartsAreValidated(t *testing.T) {
	_, path := shop(t, `, validate: {limits: {bytes: 5B}}`)
	r := sluice(t, "", "validate", path)
	require.Equal(t, exitInvalid, r.code)
	require.Contains(t, r.errOut, "shop.yaml:5:90: parts[1].validate.limits.bytes: the bundle has 13 bytes, at most 5")

	dir, changed := shop(t, `, validate: {change: {maxRemoved: 5%}}`)
	storeDir := filepath.Join(dir, "store")
	before := strings.TrimSpace(sluice(t, "", "bundle", "build", filepath.Join(dir, "features"), "--store", storeDir).out)
	require.NoError(t, os.Remove(filepath.Join(dir, "features", "rules", "eu.js")))
	text, err := os.ReadFile(changed)
	require.NoError(t, err)
	for name, c := range map[string]struct{ runs, excess, difference string }{
		"compared":      {"app=1,features=" + before, "parts[1].validate.change.maxRemoved: 1 of 2 files removed, 50%, at most 5%", "part features: against what the fleet runs"},
		"the first":     {"app=1,features=none", "", ""},
		"no such part":  {"app=1,rules=1", "it runs app=1,rules=1, which has no part features", ""},
		"alone before":  {"2.4.0", "it runs 2.4.0, which has no part features", ""},
		"not a bundle":  {"app=1,features=7", "it runs 7, which is no bundle", ""},
		"not available": {"app=1,features=sha256:" + strings.Repeat("0", 64), "which is not in the store", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := loadText(t.Context(), testConsole(&bytes.Buffer{}, &bytes.Buffer{}), changed, text, puller{})
			require.NoError(t, err)
			defer l.close()
			changes, excess, err := endedAs(promoted(c.runs)).changes(t.Context(), testConsole(&bytes.Buffer{}, &bytes.Buffer{}), &l, storeDir)
			require.NoError(t, err)
			if c.excess == "" {
				require.NoError(t, excess)
			} else {
				require.ErrorContains(t, excess, c.excess)
			}
			require.Contains(t, strings.Join(changesText(changes), "\n"), c.difference)
		})
	}
}
