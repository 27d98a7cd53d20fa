package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/rollout"
)

func TestRan(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	require.Zero(t, ran(nil, at))
	require.Equal(t, 3*time.Hour+20*30*time.Minute, ran([]rollout.StageState{
		{AppliedAt: at.Add(-time.Hour), Changed: 3}, {AppliedAt: at.Add(-30 * time.Minute), Changed: 20}, {Changed: 7},
	}, at))
}
