package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/rollout"
)

// An incident that had ended before the change is not how targets usually are.
func TestAnIncidentBeforeTheChangeIsNotTheUsual(t *testing.T) {
	w := newWorld(t, 100)
	s := fourStages()
	w.over = time.Date(2025, 12, 31, 23, 58, 0, 0, time.UTC)
	earlier := source.EarlierRun{From: w.over.Add(-24 * time.Hour), To: w.over.Add(-23 * time.Hour)}
	var seen [][]source.EarlierRun
	w.measured = func(in activities.BaselineInput) { seen = append(seen, in.Earlier) }
	out := w.submit(Submission{Spec: s, By: "test", Earlier: []source.EarlierRun{earlier}})
	require.Equal(t, rollout.PhasePromoted, out.Outcome.Result, out.Outcome.Why)
	require.NotEmpty(t, seen)
	for _, spans := range seen {
		require.Equal(t, []source.EarlierRun{earlier, {From: w.over.Add(-s.Health.Window.Std()), To: w.over}}, spans)
	}
}
