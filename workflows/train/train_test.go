package train

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	words "github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/train"
)

const day = 24 * time.Hour

// One release in a train goes its way as one without.
func TestOneRelease(t *testing.T) {
	y := newYard(t)
	y.submit(time.Minute, "2", "", Submit{}, nil)
	y.ends("2", words.PhasePromoted)
	require.Empty(t, y.ledger().Open)
}

// Three overlap, each stage after the next.
func TestOverlap(t *testing.T) {
	y := newYard(t)
	for i, r := range []string{"2", "3", "4"} {
		y.submit(time.Duration(i)*30*time.Minute+time.Minute, r, "", Submit{Every: true}, nil)
	}
	var most int
	for d := range 300 {
		y.at(time.Duration(d)*time.Minute, func() { most = max(most, len(y.on())) })
	}
	y.ends("4", words.PhasePromoted, words.PhasePromoted, words.PhasePromoted)
	require.Greater(t, most, 2, "they have overlapped")
}

// The oldest goes bad at a late stage: it puts everything back in one hop, and those younger are
// withdrawn.
func TestCondemned(t *testing.T) {
	y := newYard(t)
	y.bad = func(release string, stage int, since time.Duration) bool {
		return release == "2" && stage == 3 && since > 10*time.Minute
	}
	y.submit(time.Minute, "2", "", Submit{}, nil)
	y.submit(31*time.Minute, "3", "", Submit{}, nil)
	y.ends("1", words.PhaseRolledBack, words.PhaseWithdrawn)
	require.NotNil(t, y.ledger().Hold)
	for _, w := range y.hosts.writes {
		if w.back {
			require.Equal(t, "1", w.release, "one hop")
		}
	}
}

// Six releases in three minutes: the stages that are free get the newest, and the others are
// superseded.
func TestSuperseding(t *testing.T) {
	y := newYard(t)
	for i := range 6 {
		y.submit(time.Minute+time.Duration(i)*30*time.Second, string(rune('2'+i)), "", Submit{}, nil)
	}
	y.drive(day)
	require.Equal(t, map[string]int{"7": 60}, y.on())
	require.Equal(t, map[int64]words.Phase{
		1: words.PhasePromoted, 2: words.PhaseSuperseded, 3: words.PhaseSuperseded, 4: words.PhaseSuperseded, 5: words.PhaseSuperseded, 6: words.PhasePromoted,
	}, y.results())
}

// A rollout that waits for an approval has passed the stage before: younger ones take that, and it
// is told apart from one that is in the stage. What it says to do names it, and not the newest.
func TestApprovalLetsYoungerPass(t *testing.T) {
	y := newYard(t)
	y.edit = func(s *spec.Spec) {
		if s.Release == "2" {
			s.Stages[2].Approval = spec.ApprovalRequired
		}
	}
	y.submit(time.Minute, "2", "", Submit{Every: true}, nil)
	y.submit(2*time.Hour, "3", "", Submit{Every: true}, nil)
	y.at(3*time.Hour, func() {
		l := y.ledger()
		require.Equal(t, 2, l.Find(1).Passed)
		require.Equal(t, 2, l.Find(2).Passed)
		require.Equal(t, map[string]int{"1": 45, "3": 15}, y.on())
		var s words.State
		v, err := y.env.QueryWorkflowByID(connect.Deployment("").RolloutID("edge", 1), words.QueryStatus)
		require.NoError(t, err)
		require.NoError(t, v.Get(&s))
		require.Contains(t, s.Why, "sluice approve edge:1")
	})
	y.tell(4*time.Hour, 1, words.SignalApprove)
	y.ends("3", words.PhasePromoted, words.PhasePromoted)
}

// A server refuses the 2,001st activity that is under way: of a burst of releases no two are
// compared twice.
func TestBurst(t *testing.T) {
	y := newYard(t)
	const burst = 12
	for i := range burst {
		y.submit(time.Minute, string(rune('a'+i)), "", Submit{}, nil)
	}
	y.drive(day)
	require.Equal(t, map[string]int{string(rune('a' + burst - 1)): 60}, y.on())
	require.LessOrEqual(t, y.compared, burst*(burst-1)/2)
}

// The younger of two fails while the older bakes further on: only what the younger one has touched
// goes back, to the older one's release.
func TestYoungerFails(t *testing.T) {
	y := newYard(t)
	y.bad = func(release string, stage int, _ time.Duration) bool { return release == "3" && stage == 1 }
	y.submit(time.Minute, "2", "", Submit{}, nil)
	y.submit(31*time.Minute, "3", "", Submit{}, nil)
	y.at(20*time.Hour, func() { require.NotNil(t, y.ledger().Hold); require.Len(t, y.ledger().Open, 1) })
	y.submit(21*time.Hour, "4", "", Submit{}, nil) // ends the hold
	y.drive(2 * day)
	require.Equal(t, map[int64]words.Phase{1: words.PhasePromoted, 2: words.PhaseRolledBack, 3: words.PhasePromoted}, y.results())
	require.Equal(t, map[string]int{"4": 60}, y.on())
	for _, w := range y.hosts.writes {
		require.False(t, w.back && w.release != "2", "%+v", w)
	}
}

// A person aborts the oldest of three.
func TestAbortWithYounger(t *testing.T) {
	y := newYard(t)
	for i, r := range []string{"2", "3", "4"} {
		y.submit(time.Minute+time.Duration(i)*35*time.Minute, r, "", Submit{}, nil)
	}
	y.tell(100*time.Minute, 1, words.SignalAbort)
	y.ends("1", words.PhaseAborted, words.PhaseWithdrawn, words.PhaseWithdrawn)
}

// A release that went back is refused, unless that is overridden.
func TestBarred(t *testing.T) {
	y := newYard(t)
	y.bad = func(release string, _ int, _ time.Duration) bool { return release == "2" }
	y.submit(time.Minute, "2", "", Submit{}, nil)
	var refused error
	y.submit(10*time.Hour, "2", "", Submit{Input: "again"}, func(_ Submitted, err error) { refused = err })
	var let Submitted
	y.submit(11*time.Hour, "2", "", Submit{Input: "once more", Override: "it was the database"}, func(s Submitted, err error) {
		require.NoError(t, err)
		let = s
	})
	y.drive(day)
	require.ErrorContains(t, refused, "the release was taken back before: rollout 1 of 2 went back")
	require.EqualValues(t, 2, let.Number)
	require.Equal(t, map[string]int{"1": 60}, y.on())
}

// Fifty releases in seven days over six cohorts whose bakes grow, five of them bad at different
// stages: every bad one is condemned, nothing overtakes, and every target ends on the newest
// release that is not condemned.
func TestWeek(t *testing.T) {
	y := newYard(t)
	y.stages = `  - {name: canary, count: 2, bake: 15m}
  - {name: one, reach: 10%, bake: 30m}
  - {name: two, reach: 25%, bake: 1h}
  - {name: three, reach: 50%, bake: 2h}
  - {name: four, reach: 75%, bake: 4h}
  - {name: all, reach: 100%, bake: 8h}`
	bad := map[string]int{"r07": 0, "r15": 2, "r23": 3, "r31": 1, "r40": 4}
	y.bad = func(release string, stage int, since time.Duration) bool {
		at, ok := bad[release]
		return ok && stage == at && since > 5*time.Minute
	}
	reached := map[string]map[string]bool{}
	for i := range 50 {
		y.submit(time.Duration(i)*7*day/50+time.Minute, fmt.Sprintf("r%02d", i+1), "", Submit{}, nil)
	}
	y.drive(9 * day)
	newest := map[string]string{}
	for _, w := range y.hosts.writes {
		if w.back {
			require.NotContains(t, bad, w.release, "put back on %s", w.id)
		} else {
			require.Greater(t, w.release, newest[w.id], "an older release goes on %s", w.id)
			newest[w.id] = w.release
			if reached[w.release] == nil {
				reached[w.release] = map[string]bool{}
			}
			reached[w.release][w.id] = true
		}
	}
	ends := map[words.Phase]int{}
	for n, p := range y.results() {
		ends[p]++
		if _, isBad := bad[fmt.Sprintf("r%02d", n)]; isBad {
			require.Equal(t, words.PhaseRolledBack, p, n)
		}
	}
	require.Equal(t, map[string]int{"r50": 60}, y.on())
	var cohorts [6]int
	for _, ids := range reached {
		for i, most := range []int{0, 2, 6, 15, 30, 45} {
			if len(ids) > most {
				cohorts[i]++
			}
		}
	}
	require.Equal(t, 50, cohorts[0], "the canary gets every release")
	t.Logf("ends: %v; releases that each cohort got: %v", ends, cohorts)
}

// A rollout that waits while a younger one takes its targets is watched again once that one is
// back, and goes back on harm.
func TestWatchedAfterYoungerIsBack(t *testing.T) {
	y := newYard(t)
	y.edit = func(s *spec.Spec) {
		if s.Release == "2" {
			s.Stages[2].Approval = spec.ApprovalRequired
		}
	}
	y.bad = func(release string, stage int, since time.Duration) bool {
		return release == "3" && since > 5*time.Minute || release == "2" && since > 6*time.Hour
	}
	y.submit(time.Minute, "2", "", Submit{}, nil)
	y.submit(2*time.Hour, "3", "", Submit{}, nil)
	y.at(5*time.Hour, func() { require.NotNil(t, y.ledger().Hold); require.Len(t, y.ledger().Open, 1) })
	y.ends("1", words.PhaseRolledBack, words.PhaseRolledBack)
}

// A rollout that was deleted in Temporal is noticed. It cannot take anything back: its end says so,
// and the unit is held for a person.
func TestDeleted(t *testing.T) {
	y := newYard(t)
	y.submit(time.Minute, "2", "", Submit{}, nil)
	y.at(5*time.Minute, func() { y.gone = []activities.EndedRollout{{Number: 1}} })
	y.at(8*time.Minute, func() {
		require.Equal(t, train.Lost, y.ledger().Find(1).State)
		id := connect.Deployment("").TrainID("edge")
		require.NoError(t, y.env.SignalWorkflowByID(id, connect.SignalTakeBack, Control{By: "ann", Why: "a test", Number: 1}))
	})
	y.at(10*time.Minute, func() {
		l := y.ledger()
		require.Empty(t, l.Open)
		require.Contains(t, l.Hold.Why, "still run the release of rollout 1, which cannot take it back: no such workflow")
		require.Zero(t, l.Hold.After, "only a person ends it")
		require.Equal(t, "incomplete", l.Closed[0].Result)
	})
	y.drive(11 * time.Minute)
}

// A release that finds the fleet ill is refused before it supersedes others: those go on.
func TestRefusedSupersedesNobody(t *testing.T) {
	y := newYard(t)
	y.ill = map[string]bool{"3": true}
	y.signal(30*time.Second, connect.SignalHold, Control{By: "ann", Why: "a test"})
	y.submit(time.Minute, "2", "", Submit{}, nil)
	y.submit(2*time.Minute, "3", "", Submit{}, nil)
	y.signal(time.Hour, connect.SignalRelease, Control{By: "ann", Why: "a test"})
	y.ends("2", words.PhasePromoted, words.PhaseRefused)
}

// Plans that cannot be compared hold the unit, once, and are compared once more when a person ends
// the hold.
func TestPlansThatCannotBeCompared(t *testing.T) {
	y := newYard(t)
	lost := true
	y.comparison = func(c train.Comparison, err error) (train.Comparison, error) {
		if lost {
			return c, temporal.NewNonRetryableApplicationError("read the plan of rollout 1: not found", activities.ErrTypeInvalid, nil)
		}
		return c, err
	}
	y.submit(time.Minute, "2", "", Submit{}, nil)
	y.submit(31*time.Minute, "3", "", Submit{}, nil)
	y.at(40*time.Minute, func() {
		require.Contains(t, y.ledger().Hold.Why, "the plans of rollouts 1 and 2 cannot be compared")
		require.Contains(t, y.ledger().Hold.Why, "read the plan of rollout 1: not found")
		require.Equal(t, 1, y.compared)
		lost = false
	})
	y.signal(time.Hour, connect.SignalRelease, Control{By: "ann", Why: "the store is back"})
	y.drive(day)
	require.Equal(t, 2, y.compared)
	require.Equal(t, map[int64]words.Phase{1: words.PhasePromoted, 2: words.PhasePromoted}, y.results())
}

// A look that began before a rollout was started once more, to take back what its first run has
// left, says nothing of it.
func TestLookThatBeganBeforeATakeBack(t *testing.T) {
	y := newYard(t)
	y.submit(time.Minute, "2", "", Submit{}, nil)
	y.at(5*time.Minute, func() { y.gone = []activities.EndedRollout{{Number: 1}} })
	slow := 0
	y.again = func(activities.StartRolloutInput) time.Duration { slow++; return 90 * time.Second } // a look comes meanwhile
	y.signal(8*time.Minute, connect.SignalTakeBack, Control{By: "ann", Why: "a test", Number: 1})
	y.at(9*time.Minute+10*time.Second, func() { require.Equal(t, train.Back, y.ledger().Find(1).State, "it is on its way") })
	y.drive(9*time.Minute + 30*time.Second)
	require.Equal(t, 1, slow)
}

// A workflow that has the id of a rollout and is another one ends the rollout, and holds the unit.
func TestAnotherWorkflowHasTheID(t *testing.T) {
	y := newYard(t)
	y.refused = "the workflow rollout:edge:1 is there, and is another rollout"
	y.submit(time.Minute, "2", "", Submit{}, nil)
	y.at(5*time.Minute, func() {
		l := y.ledger()
		require.Empty(t, l.Open)
		require.Equal(t, "refused", l.Closed[0].Result)
		require.Contains(t, l.Hold.Why, "rollout 1 was not started: "+y.refused)
		require.Zero(t, l.Hold.After)
	})
	y.drive(6 * time.Minute)
}

// A target that falls silent locks the way back of the older one, and the younger one waits. Once a
// person gives up, the younger one goes its way, over what the target still runs.
func TestSilentTargetOfTheOlderWhileTheYoungerWaits(t *testing.T) {
	y := newYard(t)
	y.bad = func(release string, stage int, _ time.Duration) bool { return release == "2" && stage == 1 }
	silent := func(at time.Duration, is bool) {
		y.at(at, func() {
			y.hosts.mu.Lock()
			defer y.hosts.mu.Unlock()
			for id, s := range y.hosts.now {
				if s.Release == "2" {
					y.hosts.silent = map[string]bool{id: is}
				}
			}
		})
	}
	y.submit(time.Minute, "2", "", Submit{}, nil)
	silent(5*time.Minute, true)
	y.submit(2*time.Hour, "3", "", Submit{}, nil)
	y.at(3*time.Hour, func() {
		require.Equal(t, map[string]int{"1": 59, "2": 1}, y.on())
		l := y.ledger()
		require.Equal(t, train.Queued, l.Find(2).State)
		require.Equal(t, "rollout 1 goes back", l.Waits(2))
	})
	y.tell(4*time.Hour, 1, words.SignalGiveUp)
	silent(4*time.Hour, false)
	y.ends("3", words.PhaseIncomplete, words.PhasePromoted)
}

// A guard yields to the next release that has passed everywhere; harm that it sees before takes
// both back in one hop.
func TestGuard(t *testing.T) {
	for _, harm := range []bool{false, true} {
		y := newYard(t)
		y.bad = func(release string, _ int, since time.Duration) bool {
			return harm && release == "2" && since > 210*time.Minute // before the younger has every target
		}
		y.submit(time.Minute, "2", "guard: 48h", Submit{}, nil)
		y.submit(4*time.Hour, "3", "", Submit{}, nil)
		y.at(3*time.Hour, func() { require.Equal(t, train.Guarding, y.ledger().Find(1).State) })
		y.drive(day)
		if !harm {
			require.Equal(t, map[int64]words.Phase{1: words.PhasePromoted, 2: words.PhasePromoted}, y.results())
			require.Equal(t, map[string]int{"3": 60}, y.on())
			continue
		}
		require.Equal(t, map[int64]words.Phase{1: words.PhaseRolledBack, 2: words.PhaseWithdrawn}, y.results())
		require.Equal(t, map[string]int{"1": 60}, y.on())
		for _, w := range y.hosts.writes {
			require.False(t, w.back && w.release != "1", "%+v", w)
		}
	}
}

// Two releases whose stages differ: the younger one enters a stage once the older one has passed
// those with its targets.
func TestOtherStages(t *testing.T) {
	y := newYard(t)
	y.submit(time.Minute, "2", "", Submit{}, nil)
	y.stages = `  - {name: third, reach: 30%, bake: 10m}
  - {name: all, reach: 100%, bake: 10m}`
	y.submit(35*time.Minute, "3", "", Submit{}, nil)
	y.at(70*time.Minute, func() { require.Zero(t, y.on()["3"], "a third of the fleet needs three of the four stages") })
	y.at(100*time.Minute, func() { require.Equal(t, 18, y.on()["3"]) })
	y.ends("3", words.PhasePromoted, words.PhasePromoted)
	newest := map[string]string{}
	for _, w := range y.hosts.writes {
		require.Greater(t, w.release, newest[w.id])
		newest[w.id] = w.release
	}
}
