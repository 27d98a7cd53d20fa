package judge

import (
	"encoding/json"
	"math"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// oneByOne is a judge that takes looks as a whole, and not in strata.
type oneByOne struct{ *Judge }

func (j oneByOne) See(l ArmCounts) { j.Judge.See(l) }

// kept is a judge whose state can be kept.
type kept[L, S any] interface {
	See(l L)
	Outcome(at time.Duration) Outcome
	State() S
	Restore(s S) bool
}

// stateIsAll makes sure that a judge which now and then goes on elsewhere from its state, as small
// JSON, says at every look what an undisturbed one does.
func stateIsAll[L look, S any](t *rapid.T, open func() kept[L, S], looks []L) {
	calm, shaken := open(), open()
	for _, l := range looks {
		if rapid.IntRange(0, 9).Draw(t, "fate") == 0 {
			raw, err := json.Marshal(shaken.State())
			require.NoError(t, err)
			require.Less(t, len(raw), 8<<10)
			var s S
			require.NoError(t, json.Unmarshal(raw, &s))
			shaken = open()
			require.True(t, shaken.Restore(s))
		}
		calm.See(l)
		shaken.See(l)
		want, got := calm.Outcome(l.when()), shaken.Outcome(l.when())
		require.InDelta(t, want.LnE, got.LnE, 1e-9)
		require.InDelta(t, want.P, got.P, 1e-9)
		want.LnE, got.LnE, want.P, got.P = 0, 0, 0, 0
		require.Equal(t, want, got)
	}
}

// finite makes sure that an outcome and a state hold only numbers.
func finite(t *rapid.T, out Outcome, state any) {
	for _, v := range []float64{out.LnE, out.P, out.Ratio, out.Samples, out.Needed} {
		require.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%+v", out)
	}
	_, err := json.Marshal(state)
	require.NoError(t, err)
	require.NotContains(t, out.Evidence, "NaN")
	require.NotContains(t, out.Evidence, "Inf")
}
