package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
	workflows "github.com/sluicehq/sluice/workflows/rollout"
)

// listedSpec is a spec whose fleet a shell script prints.
func listedSpec(t *testing.T, script, where string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rollout.yaml")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `unit: edge
release: "2"
fleet: {command: [/bin/sh, -c, %q]}
driver: {http: {}}
stages:
  - {name: first, count: 1, where: {region: %s}, bake: 1m}
  - {name: all, reach: 100%%, bake: 1m}
health: {scrape: {}, checks: [{name: e, bad: b, total: t, max: 1%%}]}
`, script, where), 0o600))
	return path
}

const twoTargets = "echo 'targets: [{id: a, address: b:1, labels: {region: eu}}, {id: c, address: d:1, labels: {region: eu}}]'"

// Validating looks at the spec alone and runs nothing; planning tries the listing.
func TestFleetThatTheWorkerLists(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	good := listedSpec(t, "touch "+mark+"; "+twoTargets, "eu")
	r := sluice(t, "", "validate", good)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Equal(t, "ok: edge 2, 2 stages, 1 check\n", r.out)
	require.Contains(t, r.errOut, "the worker lists it")
	require.NoFileExists(t, mark)
	r = sluice(t, "", "validate", good, "--output", "json")
	var out map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.out), &out))
	require.Equal(t, true, out["listed"])
	require.NotContains(t, out, "targets")

	r = sluice(t, "", "plan", good)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Contains(t, r.out, "2 targets in 2 stages")
	require.Contains(t, r.errOut, "the worker lists it again")
	require.FileExists(t, mark)
	r = sluice(t, "", "plan", good, "--output", "json")
	require.NoError(t, json.Unmarshal([]byte(r.out), &out))
}

// A plan that cannot be made says whether the spec, the listing or the way there is to blame.
func TestFleetThatCannotBeListed(t *testing.T) {
	for name, tc := range map[string]struct {
		path, want string
		code       int
	}{
		"away":        {listedSpec(t, "echo away >&2; exit 1", "eu"), "exit status 1: away (tried from here; a worker lists the fleet itself", exitInternal},
		"no fleet":    {listedSpec(t, "echo 'targets: []'", "eu"), "the fleet is empty", exitInvalid},
		"other label": {listedSpec(t, twoTargets, "us"), "rollout.yaml:6:", exitInvalid},
	} {
		r := sluice(t, "", "plan", tc.path)
		require.Equal(t, tc.code, r.code, name)
		require.Contains(t, r.errOut, tc.want, name)
	}
}

// What the worker lists does not travel: no snapshot, no digest, no number.
func TestSubmissionOfAListedFleet(t *testing.T) {
	l := loaded{spec: spec.Spec{Unit: "edge", Release: "2", Fleet: spec.FleetSource{Command: []string{"ls"}}}}
	sub, err := submission(t.Context(), l, "ana", "")
	require.NoError(t, err)
	require.Empty(t, sub.FleetDigest)
	require.Nil(t, sub.FleetData)
	require.Equal(t, "**edge** release **2**, started by ana\n\nThe worker lists the fleet.\n", staticDetails(l, sub))
	var out, errOut bytes.Buffer
	require.NoError(t, started{Unit: "edge", Stages: 2}.print(testConsole(&out, &errOut)))
	require.Contains(t, out.String(), "2 stages; the worker lists the fleet")
	require.Contains(t, errOut.String(), "sluice abort")

	sub.Undo = &workflows.Undo{Run: "run-1"}
	require.Equal(t, "undo of **edge** release **2**, run run-1, started by ana\n", staticDetails(l, sub))
	require.Equal(t, "undo of edge 2", summary(sub))
	out.Reset()
	errOut.Reset()
	require.NoError(t, started{Unit: "edge", Release: "2", By: "ana", Stages: 2, undoes: true}.print(testConsole(&out, &errOut)))
	require.Regexp(t, `undoing +edge 2 by ana`, out.String())
	require.NotContains(t, out.String()+errOut.String(), "abort", "nothing aborts an undo")
}
