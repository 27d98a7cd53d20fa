package rollout

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// joining is a listed fleet that targets join. It is listed as often as listings says; from then on
// it cannot be listed any more.
func (w *world) joining(listings int, ids ...string) spec.Spec {
	for _, id := range ids {
		w.releases[id] = "1.0.0"
	}
	w.relisted = func(in activities.RelistInput) (activities.Relisted, error) {
		if listings--; listings < 0 {
			return activities.Relisted{}, temporal.NewNonRetryableApplicationError("no such command",
				activities.ErrTypeInvalid, errors.New("exit 1"))
		}
		var out activities.Relisted
		for _, id := range ids {
			if !slices.Contains(in.Known, id) {
				out.Joined = append(out.Joined, fleet.Target{ID: id, Address: id + ":80"})
			}
		}
		return out, nil
	}
	s := fourStages()
	s.Fleet = spec.FleetSource{Command: []string{"./list"}}
	return s
}

// A target that joined and cannot be reached counts once and is named, whatever becomes of the
// listings after the first.
func TestUnreachableJoinerIsCountedOnceAndNamed(t *testing.T) {
	for listings := 1; listings <= 4; listings++ {
		w := newWorld(t, 20)
		s := w.joining(listings, "new1", "new2")
		w.away["new2"] = true
		out := w.run(s)
		require.Equal(t, rollout.PhasePromoted, out.Outcome.Result, out.Outcome.Why)
		require.Equal(t, 22, out.Targets, "%d listings", listings)
		left := []rollout.TargetTrouble{{ID: "new2", Reason: "does not answer: no answer"}}
		require.Equal(t, left, out.Outcome.Unreached, "%d listings", listings)
		require.Equal(t, 21, w.on("2.0.0"))
	}
}

// One that answers later is brought in, also when the fleet cannot be listed then.
func TestJoinerThatAnswersLaterIsSwept(t *testing.T) {
	for listings := 1; listings <= 3; listings++ {
		w := newWorld(t, 20)
		s := w.joining(listings, "new1", "new2")
		w.away["new2"] = true
		w.do(270*time.Second, func() { // in the bake of the first sweep
			w.mu.Lock()
			defer w.mu.Unlock()
			clear(w.away)
		})
		out := w.run(s)
		require.Equal(t, rollout.PhasePromoted, out.Outcome.Result, out.Outcome.Why)
		require.Empty(t, out.Outcome.Unreached)
		require.Equal(t, 22, out.Targets)
		require.Equal(t, 22, w.on("2.0.0"), "%d listings", listings)
	}
}

// A target that joined, was swept in and is silent from then on is named.
func TestJoinerThatFallsSilentIsNamed(t *testing.T) {
	for listings := 1; listings <= 3; listings++ {
		w := newWorld(t, 20)
		s := w.joining(listings, "new1", "new2")
		w.applier = func(ctx context.Context, in activities.ApplyInput) (activities.Applied, error) {
			out, err := w.apply(ctx, in)
			if in.Stragglers != nil {
				w.mu.Lock()
				w.away["new2"] = true
				w.mu.Unlock()
				out.Changed--
				out.Trouble = append(out.Trouble, activities.Trouble{ID: "new2", Reason: "no answer", Silent: true})
			}
			return out, err
		}
		out := w.run(s)
		require.Equal(t, 22, out.Targets)
		left := []rollout.TargetTrouble{{ID: "new2", Reason: "does not answer: no answer"}}
		require.Equal(t, left, out.Outcome.Unreached, "%d listings", listings)
	}
}
