package train

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/train"
)

// The Web UI shows what sluice train shows.
func TestPageOfATrain(t *testing.T) {
	require.Equal(t, `**held**: an incident

| rollout | release | 1 | 2 | state | waits for |
| ---: | --- | :-: | :-: | --- | --- |
| 3 | 2.2 | waits | · | waiting | rollout 2 is in it |
| 2 | 2.1 | ✓ | in it | in stage 2 |  |
| 1 | 2.0 | | | promoted | all have it |
`, markdown(train.Ledger{
		Hold: &train.Hold{Why: "an incident"},
		Open: []train.Rollout{
			{Number: 2, Release: "2.1", State: train.Going, Stages: 2, Passed: 1, Reserved: 2, Granted: 2},
			{Number: 3, Release: "2.2", State: train.Going, Stages: 2, Wants: true, Told: train.Standing{Waits: "rollout 2 is in it"}},
		},
		Closed: []train.Closed{{Number: 1, Release: "2.0", Result: "promoted", Why: "all have it"}},
	}))
}
