package judge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A look that fails much, as while the program restarts, is no harm by itself, however much it
// fails; two may be.
func TestOneLookIsNoHarm(t *testing.T) {
	t.Parallel()
	c := quickly()
	for _, bad := range []float64{10, 40, 400} {
		past, now := threes(1, 60, 30, 2.25, 1)
		now[4].Exposed.Bad += bad
		_, failed, out := held(c, past, now)
		require.False(t, failed, "%v: %s", bad, out.Evidence)
		now[6].Exposed.Bad += bad
		_, failed, out = held(c, past, now)
		require.Equal(t, bad >= 400, failed, "%v: %s", bad, out.Evidence)
	}
}

// While the control has no traffic there is nothing to compare with, whatever the exposed targets
// show: not even 100 times the errors pass.
func TestIdleControlNeverPasses(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]int{"idle": 0, "one look of four": 4, "one look of three": 3} {
		for _, factor := range []float64{1, 100} {
			past, now := threes(2, 60, 30, 2.25, 1)
			for i := range now {
				if now[i].Exposed.Bad *= factor; busy == 0 || i%busy > 0 {
					now[i].Control = counts(0, 0)
				}
			}
			j := New(quickly(), past)
			for i, l := range now {
				j.See(l)
				if i < 9 {
					continue
				}
				out := j.Outcome(l.At)
				require.NotEqual(t, Pass, out.Verdict, "%s, %v×, look %d: %s", name, factor, i, out.Evidence)
				if factor == 1 {
					require.Equal(t, Unexercised, out.Verdict)
					require.Contains(t, out.Evidence, "control had none: there is nothing to compare them with")
				}
			}
		}
	}
	past, now := threes(3, 60, 30, 2.25, 1)
	for i := range now {
		if i%3 == 0 {
			now[i].Control = counts(0, 0)
		}
	}
	_, _, out := held(quickly(), past, now)
	require.Equal(t, Pass, out.Verdict, out.Evidence)
	require.Equal(t, 30*time.Second, out.At)
}
