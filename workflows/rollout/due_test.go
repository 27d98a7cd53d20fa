package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// hourly is a spec whose stages i wait an hour for their approval.
func hourly(stages ...int) spec.Spec {
	s := fourStages()
	for _, i := range stages {
		s.Stages[i].Approval, s.Stages[i].ApproveWithin = spec.ApprovalRequired, spec.Duration(time.Hour)
	}
	return s
}

// No approval, and no end of a pause, by its deadline takes the rollout back, or refuses it where
// nothing was changed. One in time is in time, each stage has an hour of its own, and a pause does
// not stop the hour.
func TestDeadlines(t *testing.T) {
	approve := func(w *world, at time.Duration, stage string) {
		w.at(at, rollout.SignalApprove, rollout.ControlRequest{By: "ann", Stage: stage})
	}
	pause := func(w *world, at time.Duration, within string) {
		w.at(at, rollout.SignalPause, rollout.ControlRequest{By: "ann", Within: within})
	}
	for name, tc := range map[string]struct {
		spec    spec.Spec
		signals func(*world)
		want    rollout.Phase
		at      time.Duration
		why     string
	}{
		"the first stage":   {hourly(0), func(*world) {}, rollout.PhaseRefused, time.Hour, "nobody has approved stage canary in time; nothing was changed"},
		"a later stage":     {hourly(2), func(*world) {}, rollout.PhaseRolledBack, time.Hour + 2*time.Minute, "nobody has approved stage half in time"},
		"both in time":      {hourly(0, 2), func(w *world) { approve(w, 50*time.Minute, ""); approve(w, 100*time.Minute, "") }, rollout.PhasePromoted, 102 * time.Minute, ""},
		"the second late":   {hourly(0, 2), func(w *world) { approve(w, 50*time.Minute, "") }, rollout.PhaseRolledBack, 112 * time.Minute, "stage half"},
		"ahead":             {hourly(2), func(w *world) { approve(w, time.Second, "half") }, rollout.PhasePromoted, 4 * time.Minute, ""},
		"paused meanwhile":  {hourly(0), func(w *world) { pause(w, time.Minute, "") }, rollout.PhaseRefused, time.Hour, "stage canary"},
		"a pause":           {hourly(), func(w *world) { pause(w, 30*time.Second, "2h") }, rollout.PhaseRolledBack, 2*time.Hour + 30*time.Second, "nobody has ended the pause of ann within 2h"},
		"a pause, planning": {hourly(0), func(w *world) { pause(w, time.Second, "10m") }, rollout.PhaseRefused, 10 * time.Minute, "the pause of ann"},
		"a pause that ends": {hourly(), func(w *world) {
			pause(w, 30*time.Second, "2h")
			w.at(time.Hour, rollout.SignalResume, rollout.ControlRequest{By: "ann"})
		}, rollout.PhasePromoted, time.Hour + 4*time.Minute, ""},
		"no duration": {hourly(), func(w *world) { pause(w, 30*time.Second, "soon") }, rollout.PhasePromoted, 4 * time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 20)
			tc.signals(w)
			out := w.run(tc.spec)
			require.Equal(t, tc.want, out.Outcome.Result, out.Outcome.Why)
			require.Contains(t, out.Outcome.Why, tc.why)
			require.InDelta(t, tc.at.Seconds(), out.Outcome.EndedAt.Sub(out.StartedAt).Seconds(), 40)
			if tc.want == rollout.PhasePromoted {
				return
			}
			require.Equal(t, 20, w.on("1.0.0"))
			require.Equal(t, rollout.SignalDeadline, out.Controls[len(out.Controls)-1].Signal)
			require.Equal(t, tc.want == rollout.PhaseRefused, out.Outcome.Reason == rollout.RefusedUnapproved)
		})
	}
}

// A deadline is kept by the run that goes on.
func TestDeadlineIsKeptInTheNextRun(t *testing.T) {
	w := newWorld(t, 20)
	w.grow(30 * time.Minute)
	out := w.run(hourly(2))
	require.Equal(t, 2, w.runs)
	require.Equal(t, rollout.PhaseRolledBack, out.Outcome.Result)
	require.InDelta(t, (62 * time.Minute).Seconds(), out.Outcome.EndedAt.Sub(out.StartedAt).Seconds(), 20)
}
