package rollout

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// memory is a part of every target, in memory.
type memory struct {
	state map[string]driver.State
	log   *[]string
	// broken refuses a release on a target.
	broken func(id, release string) bool
}

func (m *memory) Observe(_ context.Context, t fleet.Target, _ string) (driver.State, error) {
	return m.state[t.ID], nil
}

func (m *memory) Validate(context.Context, fleet.Target, driver.Order) error { return nil }

func (m *memory) Apply(_ context.Context, t fleet.Target, o driver.Order) error {
	if m.broken(t.ID, o.Release) {
		return fmt.Errorf("%w: no", driver.ErrRefused)
	}
	m.state[t.ID] = driver.State{Release: o.Release, Fence: o.Fence, Alive: true}
	*m.log = append(*m.log, t.ID+" "+o.Unit+" "+o.Release)
	return nil
}

// partsWorld is a world whose targets have the parts app and features, on 1 each, and a spec for 2
// of both. The second part refuses as broken says.
func partsWorld(t *testing.T, n int, broken func(id, release string) bool) (w *world, s spec.Spec, log *[]string) {
	w, s, log = newWorld(t, n), fourStages(), new([]string)
	s.Parts = []spec.Part{{Unit: "app", Release: "2"}, {Unit: "features", Release: "2"}}
	s.Release = s.Composed()
	app := &memory{map[string]driver.State{}, log, func(string, string) bool { return false }}
	features := &memory{map[string]driver.State{}, log, broken}
	for id := range w.releases {
		w.releases[id] = "app=1,features=1"
		app.state[id], features.state[id] = driver.State{Release: "1", Alive: true}, driver.State{Release: "1", Alive: true}
	}
	d := driver.Parts(driver.Part{Unit: "app", Driver: app}, driver.Part{Unit: "features", Driver: features})
	give := func(ctx context.Context, at fleet.Target, o driver.Order) error {
		err := d.Apply(ctx, at, o)
		s, seen := d.Observe(ctx, at, "edge")
		w.mu.Lock()
		defer w.mu.Unlock()
		w.releases[at.ID] = s.Release
		return errors.Join(err, seen)
	}
	w.applier = func(ctx context.Context, in activities.ApplyInput) (out activities.Applied, _ error) {
		for _, at := range w.targets(in.Batch) {
			if err := give(ctx, at, driver.Order{Unit: "edge", Release: w.plan.Spec.Release, Fence: in.Fence}); err != nil {
				out.Trouble = append(out.Trouble, activities.Trouble{ID: at.ID, Reason: err.Error(), Refused: !errors.Is(err, driver.ErrBetween)})
				break
			}
			out.Changed++
		}
		return out, nil
	}
	w.reverter = func(ctx context.Context, in activities.RevertInput) (out activities.Reverted, _ error) {
		before := in.Previous.ByID()
		for _, at := range w.targets(in.Batch) {
			was, _ := before(at.ID)
			if err := give(ctx, at, driver.Order{Unit: "edge", Release: was, Fence: in.Fence, Back: true}); err != nil {
				out.Trouble = append(out.Trouble, activities.Trouble{ID: at.ID, Reason: err.Error(), Final: true})
				continue
			}
			out.Reverted++
			out.To = rollout.CountBack(out.To, was, 1)
		}
		return out, nil
	}
	return w, s, log
}

// The second part fails on the canary: both come back, the second first, and nobody else is
// touched.
func TestASecondPartThatFailsTakesBackBoth(t *testing.T) {
	w, s, log := partsWorld(t, 20, func(_, release string) bool { return release == "2" })
	out := w.run(s)
	require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result, out.Outcome.Why)
	canary := w.plan.Order[0].ID
	require.Equal(t, []string{canary + " app 2", canary + " features 1", canary + " app 1"}, *log)
	require.Equal(t, 20, w.on("app=1,features=1"))
	require.Equal(t, "back on app=1,features=1: 1 target", out.Outcome.BackWord())
	require.Contains(t, out.Outcome.Why, "app runs 2, features still runs 1: part features: refused by target: no")
}

// A target that cannot put the second part back keeps the first, and the outcome says what each
// runs.
func TestAPartThatStaysBehindIsInTheOutcome(t *testing.T) {
	lost := ""
	w, s, log := partsWorld(t, 20, func(id, release string) bool { return id == lost && release == "1" })
	w.at(s.Stages[0].Bake.Std()/2, rollout.SignalAbort, rollout.ControlRequest{By: "ann", Why: "a test"})
	w.do(time.Second, func() { lost = w.plan.Order[0].ID })
	out := w.run(s)
	require.Equal(t, rollout.PhaseIncomplete, out.Outcome.Result, out.Outcome.Why)
	require.Equal(t, []rollout.TargetTrouble{{
		ID: lost, Reason: "features still runs 2, app still runs 2: part features: refused by target: no",
	}}, out.Outcome.NotReverted)
	require.Equal(t, []string{lost + " app 2", lost + " features 2"}, *log)
	require.Equal(t, "app=2,features=2", w.releases[lost])
}
