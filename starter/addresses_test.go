package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// badAddresses is the good spec with a fleet of other addresses.
func badAddresses(t *testing.T, replace ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"good.yaml", "fleet.yaml"} {
		data, err := os.ReadFile(filepath.Join("testdata/specs", name))
		require.NoError(t, err)
		text := strings.NewReplacer(replace...).Replace(string(data))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return filepath.Join(dir, "good.yaml")
}

// An address that nothing in the spec can use is found before anything is started, where it stands,
// and once.
func TestAddressesThatReachNothing(t *testing.T) {
	path := badAddresses(t, ":8080", "")
	r := sluice(t, "", "validate", path)
	require.Equal(t, exitInvalid, r.code, r.out)
	require.Regexp(t, `fleet\.yaml:\d+:\d+: targets\[\d+\]\.address: "[^"]+" has no port, `+
		`which driver\.http\.url \(http://\{\{address\}\}/sluice/v1/units/\{\{unit\}\}\) needs: `+
		`expected host:port, such as .*:8080 \(7 more targets: the same\)\n`, r.errOut)
	require.Regexp(t, `sluice: \S+fleet\.yaml has 1 problem`, r.errOut)
	require.Equal(t, 2, strings.Count(r.errOut, "\n"), "one problem, and how many there are: %s", r.errOut)
	for _, command := range []string{"plan", "start"} {
		require.Equal(t, exitInvalid, sluice(t, "", command, path).code, command)
	}

	path = badAddresses(t, "10.1.0.1:8080", "10.1.0.1") // one of them
	r = sluice(t, "", "validate", path)
	require.Equal(t, exitInvalid, r.code)
	require.NotContains(t, r.errOut, "more target")
}

func TestAddressesOfAListedFleet(t *testing.T) {
	path := listedSpec(t, strings.ReplaceAll(twoTargets, ":1,", ","), "eu")
	require.Equal(t, exitOK, sluice(t, "", "validate", path).code, "nothing is listed")
	r := sluice(t, "", "plan", path)
	require.Equal(t, exitInvalid, r.code)
	require.Contains(t, r.errOut, `rollout.yaml:3:8: fleet.address: of target a: "b" has no port`)
}
