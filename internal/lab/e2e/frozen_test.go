package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
)

// freeze stops the worker as SIGSTOP does, for so long.
func (d *deployment) freeze(long time.Duration) {
	d.t.Helper()
	require.NoError(d.t, syscall.Kill(d.worker.PID(), syscall.SIGSTOP))
	time.Sleep(long)
	require.NoError(d.t, syscall.Kill(d.worker.PID(), syscall.SIGCONT))
}

// A worker that stands still for the rest of a bake, and wakes long after its end, has not watched
// it: the bake goes on for that. It makes no difference whether its heartbeats were missed.
func TestFrozenInMidBake(t *testing.T) {
	t.Parallel()
	const bake = 6 * time.Second
	for name, long := range map[string]time.Duration{"shorter than a heartbeat's limit": 8 * time.Second, "longer": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, 12)
			d.sluice(0, "start", d.spec("2.0.0", bake.String(), ""))
			s := d.until("the canary's bake", phase(rollout.PhaseBake, 0))
			time.Sleep(time.Until(s.Stages[0].AppliedAt.Add(2 * time.Second)))
			d.freeze(long)
			end := d.result()
			require.Equal(t, rollout.PhasePromoted, end.Outcome.Result, end.Outcome.Why)
			st := end.Stages[0]
			require.GreaterOrEqual(t, st.DoneAt.Sub(st.AppliedAt), long+bake-time.Second)
			require.GreaterOrEqual(t, st.Watched.Std(), bake*9/10)
			require.Contains(t, st.Gates[len(st.Gates)-1].Why, "watched ")
		})
	}
}

// So has one that is frozen while a bad release shows itself: it is taken back, not promoted.
func TestFrozenWhileItGoesWrong(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	d.sluice(0, "start", d.spec("2.0.0-errors-after5s", "6s", ""))
	s := d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	time.Sleep(time.Until(s.Stages[0].AppliedAt.Add(2 * time.Second)))
	d.freeze(10 * time.Second)
	end := d.result()
	require.Equal(t, rollout.PhaseRolledBack, end.Outcome.Result, end.Outcome.Why)
	require.Equal(t, 3, end.Outcome.Touched)
	d.allOn("1.0.0")
}
