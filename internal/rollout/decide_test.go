package rollout

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
)

// What only advises never decides, is not counted, and is not hidden either.
func TestAdvisoryChecksAreNamedAndDecideNothing(t *testing.T) {
	slow := health.Result{Check: "slow", Verdict: health.Fail, Sentence: "twice as slow", Advisory: true}
	errors := health.Result{Check: "errors", Verdict: health.Pass, Sentence: "fine"}
	failed := health.Result{Check: "errors", Verdict: health.Fail, Sentence: "many"}
	for name, test := range map[string]struct {
		results  []health.Result
		decision Decision
		why      string
	}{
		"it disagrees":    {[]health.Result{errors, slow}, Promote, "the one check passes; slow (advisory) FAIL: twice as slow"},
		"it agrees":       {[]health.Result{errors, {Check: "slow", Verdict: health.Pass, Advisory: true}}, Promote, "the one check passes"},
		"another decides": {[]health.Result{failed, slow}, RollBack, "errors FAIL: many"},
		"none decides":    {[]health.Result{slow}, Hold, "no check has answered"},
	} {
		t.Run(name, func(t *testing.T) {
			decision, why := Decide(health.Report{Results: test.results}, nil)
			require.Equal(t, test.decision, decision)
			require.Equal(t, test.why, why)
		})
	}
	b := &page{}
	writeReport(b, health.Report{Results: []health.Result{slow}})
	require.Contains(t, b.String(), "| slow (advisory) | FAIL | twice as slow |")
}
