package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The examples' bundles are fit, have a plan and a name; what is wrong with one is said with its
// place.
func TestExampleBundles(t *testing.T) {
	for name, e := range map[string]struct {
		program, file string
		wrong         map[string][2]string // what is put in the place of what, by what is said of it
		changed       string               // how the first of them differs
	}{
		"flagd": {"jq", "flags/flags.json", map[string][2]string{
			"validate.command: refuses the bundle":                              {`"defaultVariant": "off"`, `"defaultVariant": "maybe"`},
			"flags.json:4:16: #/flags/new-checkout/state: value must be one of": {`"state": "ENABLED"`, `"state": "ON"`},
			"flags.json:1:1: there is nothing at flags.json#/flags":             {`"flags"`, `"flag"`},
		}, `~ /flags/new-checkout/defaultVariant: "off" -> "maybe"`},
		"waf": {"/usr/sbin/nginx", "rules/rules.conf", map[string][2]string{
			"validate.command: refuses the bundle": {`(<|%3c)script`, `(<|%3c script`},
		}, `+    "~*(<|%3c script"`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(e.program); err != nil {
				require.Empty(t, os.Getenv("SLUICE_REQUIRE_E2E"), err)
				t.Skipf("not run, see `make test`: %v", err)
			}
			from := filepath.Join("..", "examples", name)
			for _, args := range [][]string{
				{"validate", filepath.Join(from, "rollout.yaml")},
				{"plan", filepath.Join(from, "rollout.yaml")},
				{"bundle", "build", filepath.Dir(filepath.Join(from, e.file))},
			} {
				r := sluice(t, "", args...)
				require.Equal(t, exitOK, r.code, r.errOut)
			}
			for want, edit := range e.wrong {
				dir := filepath.Join(t.TempDir(), name)
				require.NoError(t, os.CopyFS(dir, os.DirFS(from)))
				file := filepath.Join(dir, e.file)
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				require.Contains(t, string(text), edit[0])
				require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), edit[0], edit[1], 1)), 0o600))
				r := sluice(t, "", "validate", filepath.Join(dir, "rollout.yaml"))
				require.Equal(t, exitInvalid, r.code, want)
				require.Contains(t, r.errOut, want)
				if strings.Contains(want, "command") {
					require.Contains(t, sluice(t, "", "bundle", "diff", filepath.Dir(filepath.Join(from, e.file)), filepath.Dir(file)).out, e.changed)
				}
			}
		})
	}
}
