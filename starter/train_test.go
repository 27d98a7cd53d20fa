package main

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/train"
)

func TestTrainLinesSayWhatEndsAHold(t *testing.T) {
	l := train.Ledger{
		Hold: &train.Hold{Why: "rollout 2 was ended by hand"},
		Open: []train.Rollout{{Number: 2, Release: "2.5.1", State: train.Lost, Stages: 4}},
	}
	require.Equal(t, []string{
		"HELD: rollout 2 was ended by hand",
		`  take back what it has left: sluice take-back edge:2 --why "…"`,
		`  go on with those under way: sluice release-hold edge --why "…"`,
	}, trainView{unit: "edge", ledger: l}.lines(time.Now(), false)[:3])
	l.Open[0].State = train.Going
	require.NotContains(t, trainView{unit: "edge", ledger: l}.lines(time.Now(), false)[1], "take-back")
}

func TestSignalsToATrainThatHaveNoEffect(t *testing.T) {
	l := train.Ledger{Open: []train.Rollout{{Number: 1, State: train.Going}, {Number: 2, State: train.Lost}}}
	require.Empty(t, idle(l, connect.SignalTakeBack, 2))
	require.Contains(t, idle(l, connect.SignalTakeBack, 1), "rollout 1 is none that was terminated")
	require.NotEmpty(t, idle(l, connect.SignalTakeBack, 3))
	require.Empty(t, idle(l, connect.SignalHold, 0))
	require.NotEmpty(t, idle(l, connect.SignalRelease, 0))
	l.Hold = &train.Hold{}
	require.Empty(t, idle(l, connect.SignalRelease, 0))
}

func TestWordsOfARolloutInATrain(t *testing.T) {
	withdrawn := rollout.Outcome{Result: rollout.PhaseWithdrawn, Touched: 1}
	require.Equal(t, "touched 1 target, left to the way back of the older rollout", touchedLine(withdrawn))
	withdrawn.NotBack = 1
	require.Contains(t, touchedLine(withdrawn), "seen back 0")

	v := view{Unit: "edge:2", Status: "terminated"}
	require.Contains(t, resultTrouble(v, errors.New("terminated")), "sluice take-back edge:2")

	_, err := signalCommand{}.aimed(v, rollout.ControlRequest{}, time.Now())
	require.ErrorContains(t, err, "sluice explain edge:2")
	require.NotContains(t, err.Error(), "undo")
}
