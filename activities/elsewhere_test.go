package activities

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	temporalactivity "go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// crew is one fleet and some workers, of which the first ones are cut off from it.
type crew struct {
	*fixture
	names   []string
	cut     int
	details any
	turns   []string // who has had an attempt
}

func newCrew(t *testing.T, targets, cut int, names ...string) *crew {
	t.Helper()
	c := &crew{fixture: newFixture(t, targets), names: names, cut: cut, details: handed{}}
	p := c.plan
	p.Spec.Apply.Attempts = 1
	c.acts.remember(c.all.Plan, p)
	c.acts.workers = func(context.Context) ([]string, error) { return names, nil }
	c.env.SetOnActivityHeartbeatListener(func(_ *temporalactivity.Info, d converter.EncodedValues) {
		var raw map[string]any
		if d.HasValues() && d.Get(&raw) == nil && raw != nil {
			c.details = raw
		}
	})
	return c
}

// attempt is one of a worker.
func attempt[T any](t *testing.T, c *crew, worker int, activity, in any) (out T, err error) {
	t.Helper()
	if c.acts.identity = c.names[worker]; len(c.turns) > 0 && c.turns[len(c.turns)-1] != c.names[worker] {
		c.acts.sees() // another process
	}
	c.turns = append(c.turns, c.names[worker])
	for id := range c.state {
		c.down[id] = 0
		if worker < c.cut {
			c.down[id] = 1 << 30
		}
	}
	c.env.SetHeartbeatDetails(c.details)
	v, err := c.env.ExecuteActivity(activity, in)
	if err == nil {
		require.NoError(t, v.Get(&out))
	}
	return out, err
}

// sees makes a worker forget that it was in trouble.
func (a *Activities) sees() {
	a.blind.targets.Store(0)
	a.blind.health.Store(0)
	a.blind.fleet.Store(0)
}

func elsewhere(err error) bool {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && app.Type() == errTypeElsewhere
}

// What one worker finds silent another one is asked about, before anybody is blamed. A worker that
// reaches nobody finds that out by the first targets.
func TestSilenceIsSeenByTwoWorkers(t *testing.T) {
	for name, one := range map[string]struct {
		activity func(*crew) any
		in       func(*crew) any
		done     string
	}{
		"observe": {func(c *crew) any { return c.acts.Observe }, func(c *crew) any { return ObserveInput{Batch: c.all, Fence: fence} }, `"common":"1.0.0"`},
		"apply": {func(c *crew) any { return c.acts.Apply }, func(c *crew) any {
			return ApplyInput{Batch: c.all, Fence: fence, Previous: Previous{Common: "1.0.0"}, Tolerate: 1}
		}, `"changed":200`},
		"revert": {func(c *crew) any { return c.acts.Revert }, func(c *crew) any {
			return RevertInput{Batch: c.all, Fence: fence + 1, Previous: Previous{Common: "1.0.0"}}
		}, `"reverted":200`},
		"survey": {func(c *crew) any { return c.acts.Survey }, func(c *crew) any {
			return SurveyInput{Batch: c.all, Fence: fence, Within: time.Minute}
		}, `"others":{"1.0.0":200}`},
		"stragglers": {func(c *crew) any { return c.acts.FindStragglers }, func(c *crew) any {
			in := StragglersInput{Plan: c.all.Plan, Fence: fence, Parallel: c.all.Parallel}
			for i := range c.all.To {
				in.Absent = append(in.Absent, fmt.Sprintf("t%03d", i))
			}
			return in
		}, `"ready":[`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCrew(t, 200, 1, "a", "b")
			_, err := attempt[any](t, c, 0, one.activity(c), one.in(c))
			require.True(t, elsewhere(err), "%v", err)
			require.ErrorContains(t, err, "connection refused")
			require.LessOrEqual(t, len(c.applies), 2*c.all.Parallel, "it does not try all of them")
			_, err = attempt[any](t, c, 0, one.activity(c), one.in(c))
			require.ErrorContains(t, err, "another one goes on", "the same worker steps aside")
			kept := c.details
			c.details = handed{}
			_, err = attempt[any](t, c, 0, one.activity(c), one.in(c))
			aside := "another one goes on"
			if name == "revert" { // which waits for nobody
				aside = "200 targets are not back yet"
			}
			require.ErrorContains(t, err, aside, "and for a while in all that it is asked")
			c.details = kept
			out, err := attempt[any](t, c, 1, one.activity(c), one.in(c))
			require.NoError(t, err)
			require.Contains(t, jsonOf(t, out), one.done)

			c = newCrew(t, 200, 2, "a", "b") // both see it: it is so
			c.all.To = 20
			_, err = attempt[any](t, c, 0, one.activity(c), one.in(c))
			require.True(t, elsewhere(err))
			out, err = attempt[any](t, c, 1, one.activity(c), one.in(c))
			require.NoError(t, err)
			require.Contains(t, jsonOf(t, out), "connection refused")

			c = newCrew(t, 20, 1, "a") // there is no other
			c.all.To = 20
			out, err = attempt[any](t, c, 0, one.activity(c), one.in(c))
			require.NoError(t, err)
			require.Contains(t, jsonOf(t, out), "connection refused")
		})
	}
}

// Targets that were not tried, since nobody answered a worker, are never taken for ones that may be
// left out, nor for ones that run what the others run: not even where the other worker goes away
// meanwhile.
func TestWhatWasNotTriedIsTriedByTheNextAttempt(t *testing.T) {
	for name, one := range map[string]struct {
		activity func(*crew) any
		in       func(*crew) any
		done     string
	}{
		"observe": {func(c *crew) any { return c.acts.Observe }, func(c *crew) any { return ObserveInput{Batch: c.all, Fence: fence} }, `"common":"1.0.0"`},
		"apply": {func(c *crew) any { return c.acts.Apply }, func(c *crew) any {
			return ApplyInput{Batch: c.all, Fence: fence, Previous: Previous{Common: "1.0.0"}, Tolerate: 150}
		}, `"changed":200`},
	} {
		for _, stays := range []bool{true, false} {
			t.Run(fmt.Sprint(name, " ", stays), func(t *testing.T) {
				c := newCrew(t, 200, 1, "a", "b")
				asked := 0
				c.acts.workers = func(context.Context) ([]string, error) {
					if asked++; !stays && asked > 1 {
						return c.names[:1], nil
					}
					return c.names, nil
				}
				_, err := attempt[any](t, c, 0, one.activity(c), one.in(c))
				require.True(t, elsewhere(err), "%v", err)
				out, err := attempt[any](t, c, 1, one.activity(c), one.in(c))
				require.NoError(t, err)
				require.Contains(t, jsonOf(t, out), one.done)
				require.NotContains(t, jsonOf(t, out), "connection refused")
			})
		}
	}
}

// What is certainly the worker's own trouble is never blamed on a target: another worker goes on,
// and where there is none the attempt ends with an error that says what it is.
func TestAWorkersOwnTrouble(t *testing.T) {
	for _, names := range [][]string{{"a"}, {"a", "b"}} {
		c := newCrew(t, 20, 1, names...)
		c.words = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.EMFILE}
		for _, one := range []struct{ activity, in any }{
			{c.acts.Observe, ObserveInput{Batch: c.all, Fence: fence}},
			{c.acts.Apply, ApplyInput{Batch: c.all, Fence: fence, Previous: Previous{Common: "1.0.0"}, Tolerate: 20}},
			{c.acts.FindStragglers, StragglersInput{Plan: c.all.Plan, Absent: []string{"t001", "t002"}, Parallel: 2}},
		} {
			c.details = handed{}
			c.acts.sees()
			_, err := attempt[any](t, c, 0, one.activity, one.in)
			require.ErrorContains(t, err, "too many open files")
			require.Equal(t, len(names) > 1, elsewhere(err))
		}
	}
}

// The way back makes one pass in an attempt where there are other workers, so that a worker that
// reaches half of the targets does not keep the others from one that reaches all.
func TestRevertMakesOnePass(t *testing.T) {
	for _, names := range [][]string{{"a"}, {"a", "b"}} {
		f := newFixture(t, 20)
		f.acts.identity = "a"
		f.acts.workers = func(context.Context) ([]string, error) { return names, nil }
		for i := range 10 {
			f.down[fmt.Sprintf("t%03d", i)] = 2
		}
		for id := range f.state {
			f.state[id] = driver.State{Release: "2.0.0", Fence: fence, Alive: true}
		}
		out := untilDone[Reverted](t, f, f.acts.Revert, RevertInput{
			Batch: f.all, Fence: fence + 1, Deadline: time.Now().Add(time.Minute), Previous: Previous{Common: "1.0.0"},
		})
		require.Equal(t, Reverted{Reverted: 20, Fenced: 20 / len(names), To: []rollout.Back{{Release: "1.0.0", Targets: 20}}}, out)
		require.Equal(t, len(names)-1, f.attempts)
		for i := 10; i < 20; i++ {
			require.Equal(t, 1, f.applies[fmt.Sprintf("t%03d", i)], "those that are back are left alone")
		}
	}
}

// A look that finds silence is followed by one of another worker, which sees harm or does not;
// where both see it, it is harm.
func TestLooksByTwoWorkers(t *testing.T) {
	for cut, want := range map[int]health.Verdict{1: health.Pass, 2: health.Fail} {
		c := newCrew(t, 4, cut, "a", "b")
		p := c.plan
		p.Spec.Health = spec.Health{Without: []string{spec.CheckTraffic}, Every: spec.Duration(pace)}
		c.acts.remember(c.all.Plan, p)
		for id := range c.state {
			c.state[id] = driver.State{Release: "2.0.0", Fence: fence, Alive: true}
		}
		in := HealthInput{StageRef: StageRef{Plan: c.all.Plan}, Previous: "1.0.0", Since: time.Now().Add(-time.Minute)}
		for _, one := range []struct{ activity, in any }{
			{c.acts.Watch, WatchInput{HealthInput: in, Until: time.Now().Add(4 * time.Second)}},
			{c.acts.Gate, GateInput{HealthInput: in, At: time.Now()}},
		} {
			c.details = handed{}
			c.acts.sees()
			_, err := attempt[StageReport](t, c, 0, one.activity, one.in)
			require.True(t, elsewhere(err), "%v", err)
			require.ErrorContains(t, err, "connection refused")
			out, err := attempt[StageReport](t, c, 1, one.activity, one.in)
			require.NoError(t, err)
			require.Equal(t, want == health.Fail, out.Report.Verdict() == health.Fail, "%+v", out.Report)
		}
	}
}

// Who cannot tell whether a stage is healthy, as its source does not answer, gives and takes back
// orders at once.
func TestBlindLooksPutOffNoOrders(t *testing.T) {
	c := newCrew(t, 4, 1, "a", "b")
	p := c.plan
	p.Spec.Health = spec.Health{Without: []string{spec.CheckTraffic}, Every: spec.Duration(pace)}
	c.acts.remember(c.all.Plan, p)
	in := HealthInput{StageRef: StageRef{Plan: c.all.Plan}, Previous: "1.0.0", Since: time.Now().Add(-time.Minute)}
	_, err := attempt[StageReport](t, c, 0, c.acts.Gate, GateInput{HealthInput: in, At: time.Now()})
	require.True(t, elsewhere(err), "%v", err)
	c.cut, c.details = 0, handed{}
	_, err = attempt[StageReport](t, c, 0, c.acts.Gate, GateInput{HealthInput: in, At: time.Now()})
	require.ErrorContains(t, err, "another one goes on")
	for _, one := range []struct{ activity, in any }{
		{c.acts.Observe, ObserveInput{Batch: c.all, Fence: fence}},
		{c.acts.Apply, ApplyInput{Batch: c.all, Fence: fence, Previous: Previous{Common: "1.0.0"}}},
		{c.acts.Revert, RevertInput{Batch: c.all, Fence: fence + 1, Previous: Previous{Common: "1.0.0"}}},
	} {
		_, err := attempt[any](t, c, 0, one.activity, one.in)
		require.NoError(t, err)
	}
}
