package judge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/sequential"
)

// looks are alike, one each 15 s, the last at end.
func looks(n int, end time.Duration, exposed, control sequential.Counts) []ArmCounts {
	var out []ArmCounts
	for i := range n {
		e, c := exposed, control
		out = append(out, ArmCounts{At: end - time.Duration(n-1-i)*15*time.Second, Exposed: &e, Control: &c})
	}
	return out
}

// Three looks into a bake, 28% of the requests are bad against 0.7%: too few to establish harm (p
// 0.34), and too many to pass or to be shown as a check that has found nothing.
func TestPlainHarmIsSuspiciousBeforeItIsEstablished(t *testing.T) {
	j := New(Criteria{Worse: 3, Alpha: 0.001 / 12, Every: 15 * time.Second, Bake: 10 * time.Minute, MinSamples: 10},
		looks(40, 0, sequential.Counts{Bad: 1, Total: 150}, sequential.Counts{Bad: 5, Total: 750}))
	for i, l := range looks(3, 45*time.Second, sequential.Counts{Bad: 4.2, Total: 15}, sequential.Counts{Bad: 1.05, Total: 150}) {
		j.See(l)
		out := j.Outcome(l.At)
		if i == 2 {
			require.Equal(t, Unexercised, out.Verdict, "look %d: %s", i+1, out.Evidence)
			require.InDelta(t, 0.34, out.P, 0.01)
			require.Regexp(t, `^at least 10 times the usual$`, out.Suspicion)
		}
	}
}

// What chance does in every other bake raises no suspicion.
func TestNoSuspicionOfHealthyTargets(t *testing.T) {
	j := New(Criteria{Worse: 0.2, Alpha: 0.001, Every: 15 * time.Second, Bake: 10 * time.Minute, MinSamples: 10},
		looks(40, 0, sequential.Counts{Bad: 1, Total: 100}, sequential.Counts{Bad: 5, Total: 500}))
	for _, l := range looks(40, 10*time.Minute, sequential.Counts{Bad: 1.3, Total: 100}, sequential.Counts{Bad: 5, Total: 500}) {
		j.See(l)
		require.Empty(t, j.Outcome(l.At).Suspicion)
	}
}

// Evidence grows from nothing over suspicion to harm, in that order.
func TestSuspicionComesBeforeFail(t *testing.T) {
	for name, c := range map[string]Criteria{
		"comparison": {Worse: 0.2}, "objective": {Objective: 0.99, Burn: 1}, "before": {Worse: 0.2, Before: true},
	} {
		t.Run(name, func(t *testing.T) {
			c.Alpha, c.Every, c.Bake, c.MinSamples = 1e-4, 15*time.Second, 10*time.Minute, 10
			j := New(c, looks(60, 0, sequential.Counts{Bad: 3, Total: 300}, sequential.Counts{Bad: 30, Total: 3000}))
			var seen []string
			for _, l := range looks(40, 10*time.Minute, sequential.Counts{Bad: 9, Total: 300}, sequential.Counts{Bad: 30, Total: 3000}) {
				j.See(l)
				out := j.Outcome(l.At)
				word := string(out.Verdict)
				if out.Suspicion != "" {
					word = "suspicious"
				}
				if len(seen) == 0 || seen[len(seen)-1] != word {
					seen = append(seen, word)
				}
			}
			require.Equal(t, []string{"PASS", "suspicious", "FAIL"}, seen)
		})
	}
}
