package rollout

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/train"
)

// What people read of an error has no types and event numbers of Temporal.
func TestErrorsOfActivitiesInPlainWords(t *testing.T) {
	app := temporal.NewApplicationError("no answer from prometheus:9090", "Unreachable", nil)
	for want, err := range map[string]error{
		"no answer from prometheus:9090":             fmt.Errorf("activity error (type: Judge, scheduledEventID: 12, startedEventID: 13): %w", app),
		"it refused":                                 fmt.Errorf("activity error: %w", temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, temporal.NewApplicationError("it refused", "", nil))),
		"no worker has answered in time (Heartbeat)": fmt.Errorf("activity error: %w", temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_HEARTBEAT, nil)),
		"canceled": errors.New("canceled"),
	} {
		require.Equal(t, want, Plainly(err))
	}
}

// A promoted rollout of a train says what targets have taken: younger ones may have replaced it
// since.
func TestWordsOfAPromotedRollout(t *testing.T) {
	for want, r := range map[string]*run{
		"all 60 targets run 2.4.0":        {},
		"all 60 targets have taken 2.4.0": {sub: Submission{Train: &Place{}}},
		"all 60 targets have taken 2.4.0; younger releases have taken targets since": {sub: Submission{Train: &Place{}}, Carried: Carried{Coupling: coupling{Standing: train.Standing{Taken: []train.Progress{{}}}}}},
	} {
		r.State = rollout.State{Targets: 60, Release: "2.4.0"}
		require.Equal(t, want, r.promoted().Why)
	}
}
