package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
)

// One target of twenty fails, and the average is fine: only a check of each target takes the
// release back, and names the target.
func TestOneBadTarget(t *testing.T) {
	t.Parallel()
	d := deploy(t, 20)
	path := d.spec("2.0.0-errors-onebad20", "6s", "")
	d.sluice(0, "start", edit(t, path, "",
		"    - {name: outliers, each: target, bad: 'http_requests_total{code=~\"5..\"}', total: http_requests_total, max: 10%}\n"))
	s := d.result()
	require.Equal(t, rollout.PhaseRolledBack, s.Outcome.Result)
	require.Regexp(t, `outliers FAIL: \S+ \S+% \(\d+/\d+\), limit 10%; 1 of \d+ targets`, s.Outcome.Why)
	d.allOn("1.0.0")

	d.sluice(0, "start", d.spec("2.0.1-errors-onebad20", "6s", ""))
	require.Equal(t, rollout.PhasePromoted, d.result().Outcome.Result, "the average alone does not show it")
}
