package driver_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
)

// rig is one driver with a way to make targets and to make them misbehave. The modes that every rig
// knows: "" (well), slow, fail, refuse, dead; crash (the order takes effect, and then the target is
// gone before it answers), half (it is gone before the order takes effect), full (it has no space
// left); cut (an answer ends in the middle).
type rig struct {
	driver driver.Driver
	// quick is the same driver with a timeout short enough to run into.
	quick  driver.Driver
	target func(id string) fleet.Target
	mode   func(id, mode string)
	// prepares says that targets can ready a release.
	prepares bool
	// crashed is the detail of a target in the mode dead.
	crashed string
	// garbage are modes in which the target answers, but no state.
	garbage []string
}

// Every driver keeps the same promises.
func TestConformance(t *testing.T) {
	for name, newRig := range map[string]func(*testing.T) rig{
		"http": httpRig, "https": tlsRig, "exec": execRig, "agent": agentRig, "relay": relayRig, "parts": partsRig,
	} {
		t.Run(name, func(t *testing.T) {
			for name, test := range map[string]func(*testing.T, rig){
				"installs, repeats and removes":     installsRepeatsAndRemoves,
				"refuses an older fence":            refusesAnOlderFence,
				"goes back with the same fence":     goesBackWithTheSameFence,
				"fails on one target only":          failsOnOneTargetOnly,
				"says no for good":                  saysNoForGood,
				"stops when cancelled":              stopsWhenCancelled,
				"stops when time is up":             stopsWhenTimeIsUp,
				"says that a target is not alive":   saysNotAlive,
				"takes garbage for an error":        takesGarbageForAnError,
				"serves many targets at once":       servesManyTargetsAtOnce,
				"keeps strange releases in place":   keepsStrangeReleasesInPlace,
				"refuses what is no release":        refusesWhatIsNoRelease,
				"does not start after a cancel":     doesNotStartAfterACancel,
				"validating changes nothing":        validatingChangesNothing,
				"a label that is missing is named":  aMissingLabelIsNamed,
				"survives a crash after the effect": survivesACrashAfterTheEffect,
				"half an order changes nothing":     halfAnOrderChangesNothing,
				"half an answer is none":            halfAnAnswerIsNone,
				"preparing switches nothing":        preparingSwitchesNothing,
			} {
				t.Run(name, func(t *testing.T) { test(t, newRig(t)) })
			}
		})
	}
}

func order(release string, fence int64) driver.Order {
	return driver.Order{Unit: "proxy", Release: release, Fence: fence}
}

func observe(t *testing.T, r rig, id string) driver.State {
	t.Helper()
	s, err := r.driver.Observe(t.Context(), r.target(id), "proxy")
	require.NoError(t, err)
	return s
}

func installsRepeatsAndRemoves(t *testing.T, r rig) {
	require.Equal(t, driver.State{Alive: true}, observe(t, r, "a"))
	for range 2 {
		require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("1.10", 7)))
		require.Equal(t, driver.State{Release: "1.10", Fence: 7, Alive: true}, observe(t, r, "a"))
	}
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("", 8)))
	require.Equal(t, driver.State{Fence: 8, Alive: true}, observe(t, r, "a"))
}

func refusesAnOlderFence(t *testing.T, r rig) {
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("2", 20)))
	err := r.driver.Apply(t.Context(), r.target("a"), order("1", 19))
	require.ErrorIs(t, err, driver.ErrFenced)
	require.NotErrorIs(t, err, driver.ErrRefused)
	require.Equal(t, driver.State{Release: "2", Fence: 20, Alive: true}, observe(t, r, "a"))
}

func goesBackWithTheSameFence(t *testing.T, r rig) {
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("1", 1)))
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("2", 2)))
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("1", 2)))
	require.Equal(t, "1", observe(t, r, "a").Release)
}

func failsOnOneTargetOnly(t *testing.T, r rig) {
	r.target("b")
	r.mode("b", "fail")
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("2", 1)))
	err := r.driver.Apply(t.Context(), r.target("b"), order("2", 1))
	require.ErrorContains(t, err, "disk on fire")
	require.NotErrorIs(t, err, driver.ErrRefused, "it may be tried again")
	require.NotErrorIs(t, err, driver.ErrFenced)
	_, err = r.driver.Observe(t.Context(), r.target("b"), "proxy")
	require.ErrorContains(t, err, "disk on fire")

	r.mode("b", "")
	require.NoError(t, r.driver.Apply(t.Context(), r.target("b"), order("2", 1)))
	require.Equal(t, "2", observe(t, r, "b").Release)
}

func saysNoForGood(t *testing.T, r rig) {
	r.target("a")
	r.mode("a", "refuse")
	err := r.driver.Apply(t.Context(), r.target("a"), order("2", 1))
	require.ErrorIs(t, err, driver.ErrRefused)
	require.NotErrorIs(t, err, driver.ErrFenced)
	require.ErrorContains(t, err, "line one | not for me")
}

func stopsWhenCancelled(t *testing.T, r rig) {
	r.target("a")
	r.mode("a", "slow")
	why := errors.New("somebody aborted")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	err := r.driver.Apply(ctx, r.target("a"), order("2", 1))
	require.ErrorIs(t, err, why)
	require.NotErrorIs(t, err, driver.ErrRefused)
}

func doesNotStartAfterACancel(t *testing.T, r rig) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.driver.Apply(ctx, r.target("a"), order("2", 1)), context.Canceled)
	_, err := r.driver.Observe(ctx, r.target("a"), "proxy")
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, observe(t, r, "a").Release)
}

func stopsWhenTimeIsUp(t *testing.T, r rig) {
	r.target("a")
	r.mode("a", "slow")
	err := r.quick.Apply(t.Context(), r.target("a"), order("2", 1))
	require.ErrorContains(t, err, "within 200ms")
	require.NotErrorIs(t, err, driver.ErrRefused)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's time is not up")
	_, err = r.quick.Observe(t.Context(), r.target("a"), "proxy")
	require.ErrorContains(t, err, "within 200ms")
}

func saysNotAlive(t *testing.T, r rig) {
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("2", 1)))
	r.mode("a", "dead")
	require.Equal(t, driver.State{Release: "2", Fence: 1, Detail: r.crashed}, observe(t, r, "a"))
}

func takesGarbageForAnError(t *testing.T, r rig) {
	r.target("a")
	require.NotEmpty(t, r.garbage)
	for _, mode := range r.garbage {
		r.mode("a", mode)
		s, err := r.driver.Observe(t.Context(), r.target("a"), "proxy")
		require.Error(t, err, mode)
		require.Zero(t, s, mode)
		require.NotContains(t, err.Error(), "\033", mode)
		require.Less(t, len(err.Error()), 4<<10, mode)
	}
}

func servesManyTargetsAtOnce(t *testing.T, r rig) {
	const n = 12
	errs := make(chan error, n)
	for i := range n {
		where := r.target(fmt.Sprint("t", i))
		go func() { errs <- r.driver.Apply(t.Context(), where, order(fmt.Sprint("r", i), 1)) }()
	}
	for range n {
		require.NoError(t, <-errs)
	}
	for i := range n {
		require.Equal(t, fmt.Sprint("r", i), observe(t, r, fmt.Sprint("t", i)).Release)
	}
}

// A release that means something to a shell arrives as it is, or not at all.
func keepsStrangeReleasesInPlace(t *testing.T, r rig) {
	for _, release := range []string{
		"$(id)", "`id`", ";id", "a'b\"c", "{{id}}", "../../etc/passwd", "%s%n", "*", "é", "&&true", ">/tmp/x", "a=b",
	} {
		require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order(release, 1)), release)
		require.Equal(t, release, observe(t, r, "a").Release)
	}
}

// What could never be observed is never applied.
func refusesWhatIsNoRelease(t *testing.T, r rig) {
	for _, release := range []string{"1; rm -rf / $(id)", "two words", "a\nb", "\x1b[31m", "\xff", strings.Repeat("x", 257), "a\u202eb"} {
		require.ErrorIs(t, r.driver.Apply(t.Context(), r.target("a"), order(release, 1)), driver.ErrRefused)
		require.ErrorIs(t, r.driver.Validate(t.Context(), r.target("a"), order(release, 1)), driver.ErrRefused)
	}
	require.Equal(t, driver.State{Alive: true}, observe(t, r, "a"))
}

func validatingChangesNothing(t *testing.T, r rig) {
	require.NoError(t, r.driver.Validate(t.Context(), r.target("a"), order("2", 9)))
	require.Equal(t, driver.State{Alive: true}, observe(t, r, "a"))
}

func aMissingLabelIsNamed(t *testing.T, r rig) {
	where := r.target("a")
	where.Labels = nil
	_, err := r.driver.Observe(t.Context(), where, "proxy")
	require.ErrorContains(t, err, `target "a" has no label "place"`)
	require.ErrorIs(t, err, driver.ErrRefused)
}

// The target has applied the order, and is gone before it could say so: that is an error which may
// be tried again, observing tells the truth, and the same order again is harmless, as is the way
// back.
func survivesACrashAfterTheEffect(t *testing.T, r rig) {
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("1", 1)))
	r.mode("a", "crash")
	tryAgain(t, r.driver.Apply(t.Context(), r.target("a"), order("2", 2)))
	r.mode("a", "")
	applied := driver.State{Release: "2", Fence: 2, Alive: true}
	require.Equal(t, applied, observe(t, r, "a"))
	for range 2 {
		require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("2", 2)))
		require.Equal(t, applied, observe(t, r, "a"))
	}
	require.ErrorIs(t, r.driver.Apply(t.Context(), r.target("a"), order("1", 1)), driver.ErrFenced, "what was lost is late now")
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("1", 3)))
	require.Equal(t, "1", observe(t, r, "a").Release)
}

// An order that breaks off before it is in effect leaves what was there.
func halfAnOrderChangesNothing(t *testing.T, r rig) {
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("1", 1)))
	for _, mode := range []string{"half", "full"} {
		r.mode("a", mode)
		tryAgain(t, r.driver.Apply(t.Context(), r.target("a"), order("2", 2)))
		r.mode("a", "")
		require.Equal(t, driver.State{Release: "1", Fence: 1, Alive: true}, observe(t, r, "a"), mode)
	}
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("2", 2)))
	require.Equal(t, driver.State{Release: "2", Fence: 2, Alive: true}, observe(t, r, "a"))
}

// An answer that ends in the middle is no answer, however good it looks that far.
func halfAnAnswerIsNone(t *testing.T, r rig) {
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("1", 1)))
	r.mode("a", "cut")
	s, err := r.driver.Observe(t.Context(), r.target("a"), "proxy")
	require.Error(t, err)
	require.Zero(t, s)
	tryAgain(t, r.driver.Apply(t.Context(), r.target("a"), order("2", 2)))
	r.mode("a", "")
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("2", 2)))
	require.Equal(t, driver.State{Release: "2", Fence: 2, Alive: true}, observe(t, r, "a"))
}

// Whether it comes to an end or not, what runs stays, and takes orders.
func preparingSwitchesNothing(t *testing.T, r rig) {
	require.Equal(t, r.prepares, driver.Prepares(r.driver))
	if !r.prepares {
		return
	}
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("1", 1)))
	prepare := func(d driver.Driver, ctx context.Context, release string) error {
		return d.(driver.Preparer).Prepare(ctx, r.target("a"), order(release, 2))
	}
	r.mode("a", "refuse")
	err := prepare(r.driver, t.Context(), "2")
	require.ErrorIs(t, err, driver.ErrRefused)
	require.ErrorContains(t, err, "line one | not for me")
	r.mode("a", "fail")
	tryAgain(t, prepare(r.driver, t.Context(), "2"))
	r.mode("a", "slow")
	err = prepare(r.quick, t.Context(), "2")
	tryAgain(t, err)
	require.ErrorContains(t, err, "within 200ms")
	r.mode("a", "")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, prepare(r.driver, cancelled, "2"), context.Canceled)
	require.ErrorIs(t, prepare(r.driver, t.Context(), "two words"), driver.ErrRefused)
	for range 2 {
		require.NoError(t, prepare(r.driver, t.Context(), "2"))
		require.Equal(t, driver.State{Release: "1", Fence: 1, Alive: true}, observe(t, r, "a"))
	}
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("3", 1)))
	require.NoError(t, r.driver.Apply(t.Context(), r.target("a"), order("2", 2)))
	require.Equal(t, driver.State{Release: "2", Fence: 2, Alive: true}, observe(t, r, "a"))
}

func tryAgain(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	require.NotErrorIs(t, err, driver.ErrRefused, "it may be tried again")
	require.NotErrorIs(t, err, driver.ErrFenced)
}
