package train

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// hear is the ledger after a report of a rollout that acts by all it was told, and has two stages.
func (l Ledger) hear(p RolloutReport) Ledger {
	r := l.Find(p.Number)
	p.Seq, p.Heard, p.Plan, p.Stages = r.Seq+1, r.Told.Version, r.Release, 2
	l, _ = l.Hear(p)
	return l
}

func submitted(t *testing.T, l Ledger, releases ...string) Ledger {
	t.Helper()
	for _, r := range releases {
		var err error
		l, _, _, err = l.Submit(Submission{Release: r})
		require.NoError(t, err)
	}
	return l
}

// inStage is a ledger with a rollout that has begun its first stage.
func inStage(t *testing.T) Ledger {
	t.Helper()
	l := submitted(t, Ledger{}, "a").hear(RolloutReport{Number: 1, Wants: true})
	require.Equal(t, 1, l.Find(1).Granted)
	return l
}

func TestSubmitRefuses(t *testing.T) {
	t.Parallel()
	l := submitted(t, inStage(t), "b").hear(RolloutReport{Number: 1, GoesBack: true})
	for release, want := range map[string]string{
		"a": "the release was taken back before: rollout 1 of a went back",
		"b": "the release was taken back before: rollout 2 of b was withdrawn with rollout 1",
	} {
		_, _, _, err := l.Submit(Submission{Release: release})
		require.ErrorIs(t, err, ErrBarred)
		require.EqualError(t, err, want)
		_, n, _, err := l.Submit(Submission{Release: release, Override: true})
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
	}
	full := submitted(t, Ledger{}, "a")
	full.Last = full.Term.First + slots/2 - 2
	_, _, _, err := full.Submit(Submission{Release: "b"})
	require.EqualError(t, err, "32768 rollouts have overlapped without a pause: wait until those under way have ended")
}

// Until it is acknowledged, a standing is told again.
func TestRetell(t *testing.T) {
	t.Parallel()
	l := inStage(t)
	cs := l.Retell()
	require.Len(t, cs, 1)
	require.Equal(t, Command{Tell: 1, Standing: l.Find(1).Told}, cs[0])
	l = l.hear(RolloutReport{Number: 1})
	require.Empty(t, l.Retell())
}

// A person's hold stays until a person ends it, whatever else happens.
func TestAPersonsHoldStays(t *testing.T) {
	t.Parallel()
	l, _ := inStage(t).Keep("held by ann")
	l, _ = l.Gone(1, false)
	require.Equal(t, Lost, l.Find(1).State)
	require.Equal(t, "held by ann", l.Hold.Why)
	l, cs := l.TakeBack(1)
	require.Equal(t, "held by ann", l.Hold.Why)
	require.Equal(t, Back, l.Find(1).State)
	require.Equal(t, Command{Start: 1, Standing: l.Find(1).Told}, cs[len(cs)-1])
	_, cs = l.TakeBack(1)
	require.Empty(t, cs, "once")
	require.Equal(t, "held by ann", submitted(t, l, "b").Hold.Why)
}

// A lost rollout keeps all others where they are, without a hold.
func TestLostKeepsOthers(t *testing.T) {
	t.Parallel()
	l, _ := inStage(t).Gone(1, false)
	require.Nil(t, l.Hold)
	l = submitted(t, l, "b")
	require.Equal(t, Queued, l.Find(2).State)
	require.Equal(t, "rollout 1 was ended by hand, and nobody has taken back what it had changed", l.Waits(2))
}

// A new release waits until also those that were withdrawn are back: it must not find, and go back
// to, what they

// A train that follows one that was ended by hand has numbers and fences above those of that one,
// however soon it begins, and lets nothing in that was barred there.
func TestTrainAfterOneThatWasEndedByHand(t *testing.T) {
	t.Parallel()
	l := submitted(t, inStage(t).hear(RolloutReport{Number: 1, GoesBack: true}), "b").
		hear(RolloutReport{Number: 1, Result: "aborted"}).
		hear(RolloutReport{Number: 2})
	fence, back := l.Find(2).Told.Fence, l.Find(2).Told.Back
	after := l.After(4)
	_, _, _, err := after.Submit(Submission{Release: "a"})
	require.ErrorIs(t, err, ErrBarred)
	next, n, _, err := after.Submit(Submission{Release: "c"})
	require.NoError(t, err)
	require.Equal(t, Number(5), n)
	require.Greater(t, next.Find(5).Told.Fence, fence)
	require.Greater(t, next.Find(5).Told.Fence, back)
	require.NotNil(t, l.Find(2), "the old one is as it was")
}

// A condemned rollout knows the releases of younger ones for as long as it goes back: they run on
// its targets also when those have ended.
func TestYoungerAreKnownWhenTheyHaveEnded(t *testing.T) {
	t.Parallel()
	l := submitted(t, inStage(t).hear(RolloutReport{Number: 1, Passed: 1}), "b").hear(RolloutReport{Number: 2})
	l, _ = l.Compared(2, 1, Comparison{Needs: []int{1, 2}})
	l = l.hear(RolloutReport{Number: 2, Wants: true}).hear(RolloutReport{Number: 1, Passed: 1})
	l = l.hear(RolloutReport{Number: 1, Passed: 1, GoesBack: true}).hear(RolloutReport{Number: 2, Result: "withdrawn"})
	require.Nil(t, l.Find(2))
	require.Equal(t, []string{"b"}, l.Find(1).Told.Younger)
}

// have left.
func TestWithdrawnIsAWayBack(t *testing.T) {
	t.Parallel()
	l := submitted(t, inStage(t).hear(RolloutReport{Number: 1, Passed: 1}), "b").hear(RolloutReport{Number: 2})
	l, _ = l.Compared(2, 1, Comparison{Needs: []int{1, 2}})
	l = l.hear(RolloutReport{Number: 2, Wants: true}).hear(RolloutReport{Number: 1, Passed: 1})
	require.Equal(t, 1, l.Find(2).Granted)
	l = l.hear(RolloutReport{Number: 2, Passed: 1}).hear(RolloutReport{Number: 1, Passed: 1, GoesBack: true})
	l = l.hear(RolloutReport{Number: 1, Passed: 1, GoesBack: true, Result: "rolled-back"})
	require.NotNil(t, l.Find(2))
	l = submitted(t, l, "c")
	require.Equal(t, Queued, l.Find(3).State)
	require.Equal(t, "rollout 2 goes back", l.Waits(3))
	l = l.hear(RolloutReport{Number: 2, Passed: 1, Result: "withdrawn"})
	require.Equal(t, Going, l.Find(3).State)
}

func TestNeedsOfOtherFleets(t *testing.T) {
	t.Parallel()
	older := Cut{Order: []string{"a", "b", "c", "d"}, To: []int{1, 2, 4}}
	for name, c := range map[string]struct {
		younger Cut
		want    []int
	}{
		"the same":           {older, []int{1, 2, 3}},
		"the other way":      {Cut{Order: []string{"d", "c", "b", "a"}, To: []int{1, 4}}, []int{3, 3}},
		"new ones":           {Cut{Order: []string{"x", "a", "y", "c"}, To: []int{1, 2, 3, 4}}, []int{0, 1, 1, 3}},
		"one that has none":  {Cut{To: []int{0, 0}}, []int{0, 0}},
		"less of it at once": {Cut{Order: []string{"a", "b"}, To: []int{2}}, []int{2}},
	} {
		require.Equal(t, c.want, Needs(c.younger, older), name)
	}
}

// Only a younger rollout that has every target of an older one leaves it nothing to look at; one
// that shares none with it has taken nothing.
func TestTakenByAnotherFleet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		found Comparison
		want  []Progress
	}{
		"all of them":  {Comparison{Needs: []int{2}, Covers: true}, []Progress{{Number: 2, Plan: "b", Stages: 1, All: true}}},
		"some of them": {Comparison{Needs: []int{2}}, []Progress{{Number: 2, Plan: "b", Stages: 1}}},
		"none of them": {Comparison{Needs: []int{0}}, nil},
	} {
		l := submitted(t, inStage(t).hear(RolloutReport{Number: 1, Passed: 1, Wants: true}), "b")
		l = l.hear(RolloutReport{Number: 1, Passed: 2, Guards: true})
		l, _ = l.Hear(RolloutReport{Number: 2, Seq: 1, Heard: l.Find(2).Told.Version, Plan: "b", Stages: 1})
		l, _ = l.Compared(2, 1, c.found)
		l, _ = l.Hear(RolloutReport{Number: 2, Seq: 2, Heard: l.Find(2).Told.Version, Plan: "b", Stages: 1, Wants: true})
		require.Equal(t, 1, l.Find(2).Reserved, name)
		require.Equal(t, c.want, l.Find(1).Told.Taken, name)
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	a, b := Cut{Order: []string{"x", "y"}, To: []int{2}}, Cut{Order: []string{"y", "x", "z"}, To: []int{1, 3}}
	require.True(t, Covers(b, a))
	require.False(t, Covers(a, b))
}

// One that was ended by hand on its way back, and whose report of that is late, is no release that
// a younger one replaces.
func TestGoneOnItsWayBack(t *testing.T) {
	t.Parallel()
	l := submitted(t, inStage(t).hear(RolloutReport{Number: 1, Passed: 2, Guards: true}), "b")
	l, _ = l.Gone(1, true)
	require.Equal(t, Lost, l.Find(1).State)
	require.EqualValues(t, 1, l.Find(2).WithdrawnBy)
	require.EqualValues(t, 1, l.Hold.After)
	l, _ = l.Hear(RolloutReport{Number: 2, Seq: 1, Plan: "b", Stages: 1, Passed: 1, Guards: true}) // sent before it heard
	require.NotNil(t, l.Find(1), "one that is withdrawn replaces nothing")
}
