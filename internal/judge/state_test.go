package judge

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A judge that dies and goes on from its state, however often, says what an undisturbed one says.
func TestStateIsAllThatMatters(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := criteria()
		c.Traffic, c.Enough, c.Risk = 0, 2, 0.05
		looks := drawn(rapid.Uint64().Draw(t, "seed"), constant(rapid.SampledFrom([]float64{0.5, 1, 1.5, 3}).Draw(t, "factor")))
		before := looks[:40]
		if rapid.Bool().Draw(t, "unknown past") {
			before = nil
		}
		stateIsAll(t, func() kept[ArmCounts, ComparisonState] { return oneByOne{newComparison(c, before)} }, looks[40:100])
	})
}

func TestStateOfOtherCriteriaIsRefused(t *testing.T) {
	t.Parallel()
	looks := drawn(1, constant(1))
	j := newComparison(criteria(), looks[:40])
	j.See(looks[41])
	require.False(t, newComparison(criteria(), nil).Restore(j.State()))
}

// Workflows in flight hold states: what their fields are called stays.
func TestStateKeepsItsNames(t *testing.T) {
	t.Parallel()
	seen := armsSeen{Newest: 2, Seen: 3, Any: true}
	for want, state := range map[string]any{
		`"newest":2,"seen":3,"any":true,"lnE":1`:             ComparisonState{armsSeen: seen, LnE: 1},
		`{"looks":1,"newest":2,"seen":3,"any":true,"left":1`: MeansState{Looks: 1, armsSeen: seen, Left: 1},
	} {
		raw, err := json.Marshal(state)
		require.NoError(t, err)
		require.Contains(t, string(raw), want)
	}
	var s MeansState
	require.NoError(t, json.Unmarshal([]byte(`{"newest":2,"seen":3,"any":true}`), &s))
	require.Equal(t, seen, s.armsSeen)
}
