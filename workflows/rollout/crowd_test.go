package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
)

// maxPayload is what Temporal takes.
const maxPayload = 2 << 20

func (w *world) requireFits(v any) {
	w.t.Helper()
	data, err := json.Marshal(v)
	require.NoError(w.t, err)
	require.Less(w.t, len(data), maxPayload)
}

// newCrowd is a world of n targets with ids as they are in real fleets, every so many of which is
// away. Every watch's input and every status is held against a payload.
func newCrowd(t *testing.T, n, every int) *world {
	w := newWorld(t, 0)
	for i := range n {
		id := fmt.Sprintf("edge-%06d.ams1.example", i)
		w.fleet.Targets = append(w.fleet.Targets, fleet.Target{ID: id, Address: id + ":80"})
		w.releases[id] = "1.0.0"
		if i%every == 1 {
			w.away[id] = true
		}
	}
	w.why = "Get \"http://10.12.33.41:8080/sluice/v1/units/edge\": dial tcp 10.12.33.41:8080: connect: connection refused"
	w.watcher = func(ctx context.Context, in activities.WatchInput) (activities.StageReport, error) {
		w.requireFits(in)
		return w.watch(ctx, in)
	}
	for at := 30 * time.Second; at < 8*time.Minute; at += 30 * time.Second {
		w.do(at, func() {
			v, err := w.env.QueryWorkflow(rollout.QueryStatus)
			if err != nil {
				return // it has ended
			}
			var s rollout.State
			require.NoError(t, v.Get(&s))
			w.requireFits(s)
		})
	}
	return w
}

// A tenth of 100,000 targets is left out: nothing exceeds a payload, and counts are exact.
func TestACrowdIsLeftOut(t *testing.T) {
	if testing.Short() {
		t.Skip("100,000 targets")
	}
	w := newCrowd(t, 100_000, 10)
	s := tolerant(20)
	s.Apply.Batch = 2000
	out := w.run(s)
	w.requireFits(out)
	require.Equal(t, rollout.PhasePromoted, out.Outcome.Result, out.Outcome.Why)
	require.Equal(t, "90000 of 100000 targets run 2.0.0, 10000 left out", out.Outcome.Why)
	require.Equal(t, 10_000, out.LeftOut)
	require.Equal(t, 10_000, out.Outcome.LeftOut)
	require.Greater(t, len(out.Outcome.Unreached), 7000)
	require.True(t, strings.HasPrefix(out.Outcome.Unreached[0].Reason, "does not answer: Get"))
	require.Equal(t, 90_000, out.Exposed)
	require.Equal(t, 90_000, out.Outcome.Touched)
}

// Of 40,000 none comes back: the status of the locked unit fits.
func TestACrowdIsLocked(t *testing.T) {
	w := newCrowd(t, 40_000, 1<<20)
	w.health = func(stage int, _ time.Duration) health.Verdict {
		if stage < 3 {
			return health.Pass
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, one := range w.fleet.Targets {
			w.away[one.ID] = true
		}
		return health.Fail
	}
	clear(w.away)
	s := fourStages()
	s.Apply.Batch = 2000
	out := w.run(s)
	w.requireFits(out)
	require.Equal(t, rollout.PhaseIncomplete, out.Outcome.Result)
	require.Equal(t, 40_000, out.Outcome.NotBack)
	require.Contains(t, out.Outcome.Why, "errors FAIL")
	require.Greater(t, len(out.Outcome.NotReverted), 10_000)
}

// More than can be carried along is not tolerated, whatever a spec says.
func TestTooManyToLeaveOut(t *testing.T) {
	w := newCrowd(t, 80_000, 3)
	s := tolerant(50)
	s.Apply.Batch = 2000
	out := w.run(s)
	w.requireFits(out)
	require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result)
	require.Contains(t, out.Outcome.Why, "targets of the fleet do not answer, more than a rollout can leave out")
	require.Equal(t, 80_000, w.on("1.0.0"))
}
