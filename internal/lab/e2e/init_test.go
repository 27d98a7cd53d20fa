package e2e

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
)

// What `sluice init` writes after a look at one page takes back a release with errors, and one with
// a single bad host of three, in whichever stage that is.
func TestInitCatches(t *testing.T) {
	d := deploy(t, 3, "--rps-per-target", "100")
	for release, why := range map[string]string{
		"2.0.0-errors":         `(errors|outliers) FAIL`,
		"2.0.1-errors-onebad3": `outliers FAIL: \S+ \S+% \(\d+/\d+\), limit (5|10)%; 1 of \d+ targets`,
	} {
		path := filepath.Join(d.Dir, release+".yaml")
		ran := d.sluice(0, "init", "--unit", unit, "--release", release, "--fleet", d.FleetFile(), "--page", "http://{{address}}/metrics",
			"--bake", "3s", "--out", path)
		require.NotContains(t, ran.Stdout, "lacks")
		require.Contains(t, d.sluice(0, "plan", path).Stdout, "3 targets in 2 stages")
		d.sluice(0, "start", edit(t, path, "", "rollback: {recover: 1s}\n")) // only to be over sooner
		s := d.result()
		require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result, release)
		require.Regexp(t, why, s.Outcome.Why, release)
		d.allOn("1.0.0")
	}
}
