package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSuspects(t *testing.T) {
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	trigger := Suspect{Unit: "routes", Release: "7", Exposed: 2, Since: now.Add(-3 * time.Minute), Trigger: true}
	sleeper := SuspectOf(State{
		Unit: "features", Release: "sha256:x", Version: "v3",
		Phase: PhaseGuard, Exposed: 12, StartedAt: now.Add(-2 * time.Hour),
	})
	older := SuspectOf(State{Unit: "rules", Release: "1", Phase: PhasePromoted, Exposed: 12, StartedAt: now.Add(-99 * time.Hour)})
	gone := SuspectOf(State{Unit: "flags", Release: "5", Phase: PhaseRolledBack, Exposed: 12, StartedAt: now})
	ranked := RankSuspects([]Suspect{trigger, gone, older, sleeper, {Unit: "new"}})
	require.Equal(t, []string{"features", "rules", "routes", "flags", "new"},
		[]string{ranked[0].Unit, ranked[1].Unit, ranked[2].Unit, ranked[3].Unit, ranked[4].Unit})
	ranked[0].ToldBack = true
	ranked[4].Unknown = "no worker answers"
	require.Equal(t, "suspects: features v3 (guarding, 12 targets, 2h old), which was told to go back; rules 1 (promoted, 12 targets, 99h old); "+
		"routes 7 (the trigger, 2 targets, 3m old); flags 5 (rolled-back, 0 targets, 0s old); new, of which nothing is known (no worker answers)", SuspectWords(ranked, now))
	require.Empty(t, SuspectWords([]Suspect{trigger}, now))
	require.Contains(t, SuspectWords([]Suspect{trigger, {Unit: "new"}}, now), "; new, which never had a rollout")
}
