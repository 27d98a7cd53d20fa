package rollout

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
)

// The checks that condemned a release tell whether its rollback has cured.
func TestRecovered(t *testing.T) {
	report := func(errors, traffic, alive health.Verdict) health.Report {
		return health.Report{Results: []health.Result{
			{Check: "errors", Verdict: errors, Sentence: "numbers"},
			{Check: "traffic", Verdict: traffic, Sentence: "requests"},
			{Check: "alive", Verdict: alive, Sentence: "targets"},
		}}
	}
	p, f, u := health.Pass, health.Fail, health.Unexercised
	for name, test := range map[string]struct {
		condemned []string
		after     health.Report
		recovered string
		word      string
	}{
		"cured, others do not know yet": {[]string{"errors"}, report(p, u, p), "yes", "errors recovered after the rollback"},
		"not cured": {
			[]string{"errors"}, report(f, p, f), "no", "errors did NOT recover after the rollback: the change was probably not the cause",
		},
		"one of two": {
			[]string{"errors", "traffic"},
			report(p, u, p), "unknown",
			"whether errors, traffic recovered after the rollback is not known: traffic UNEXERCISED: requests",
		},
		"cured, and another fails": {
			[]string{"errors"}, report(p, p, f), "yes", "errors recovered after the rollback; another check fails now: alive FAIL: targets",
		},
		"all checks": {nil, report(p, p, f), "no", "the checks did NOT recover after the rollback: the change was probably not the cause"},
	} {
		t.Run(name, func(t *testing.T) {
			var o Outcome
			require.Empty(t, o.RecoveredWord())
			o.Recover(test.condemned, test.after)
			require.Equal(t, test.recovered, o.Recovered)
			require.Equal(t, test.word, o.RecoveredWord())
		})
	}
}
