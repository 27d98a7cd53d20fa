package sequential

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// times multiplies what an arm showed in a stretch of looks.
func times(looks []Pair, from, to int, exposed, control float64) []Pair {
	out := slices.Clone(looks)
	for i := from; i < to; i++ {
		out[i].Exposed.Bad = min(out[i].Exposed.Total, exposed*max(1, out[i].Exposed.Bad))
		out[i].Control.Bad = min(out[i].Control.Total, control*max(1, out[i].Control.Bad))
	}
	return out
}

// One stretch in which an arm was unlike what it was otherwise is found, wherever it is and however
// short the past; what comes again, or lasts, is how the arms are.
func TestStain(t *testing.T) {
	t.Parallel()
	calm := func(n int) []Pair { return noisy(3, n, 1, false) }
	for name, tc := range map[string]struct {
		looks    []Pair
		from, to int // 0 for none
		worse    bool
	}{
		"clean":             {calm(120), 0, 0, false},
		"bursts":            {noisy(3, 120, 5, false), 0, 0, false},
		"recent":            {times(calm(1440), 1400, 1412, 20, 1), 1400, 1412, true},
		"up to the change":  {times(calm(120), 108, 120, 20, 1), 108, 120, true},
		"at the beginning":  {times(calm(120), 0, 12, 20, 1), 0, 12, true},
		"one look":          {times(calm(120), 60, 61, 50, 1), 60, 61, true},
		"short past":        {times(calm(24), 10, 14, 20, 1), 10, 14, true},
		"control's":         {times(calm(120), 100, 112, 1, 20), 100, 112, false},
		"both arms' own":    {times(calm(120), 100, 112, 20, 20), 0, 0, false},
		"too long":          {times(calm(120), 60, 110, 20, 1), 0, 0, false},
		"twice":             {times(times(calm(120), 20, 32, 20, 1), 100, 112, 20, 1), 0, 0, false},
		"left out at once":  {times(calm(1440), 600, 612, 50, 1), 0, 0, false},
		"too few looks":     {times(calm(7), 3, 4, 50, 1), 0, 0, false},
		"nothing was known": {nil, 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test, at := WithoutStain(Question{Worse: 0.2}, tc.looks)
			if tc.to == 0 {
				require.Nil(t, test)
				return
			}
			require.NotNil(t, test)
			near := 1.0
			if !tc.worse { // a look in which the exposed arm happens to show nothing is like it, too
				near = 10
			}
			require.InDelta(t, tc.from, at.From, near)
			require.InDelta(t, tc.to, at.To, near)
			require.Equal(t, tc.worse, at.Ratio > 1)
			require.False(t, test.Bursts())
			require.InDelta(t, 1, test.Dispersion().Factor, 0.5)
		})
	}
}

// A second arm that is a rate, or a limit, has no incidents.
func TestStainOfOneArm(t *testing.T) {
	t.Parallel()
	looks := times(noisy(3, 120, 1, false), 100, 112, 1, 20)
	for _, q := range []Question{{Unlike: true}, {Fixed: true}} {
		test, _ := WithoutStain(q, looks)
		require.Nil(t, test)
	}
}

// Strata of unlike sizes are added up as if each look had the shares of all of them.
func TestFairly(t *testing.T) {
	t.Parallel()
	test := NewTwoArms(Question{}, nil)
	// Each stratum's arms are alike, but the exposed arm is mostly in the worse one.
	test.See(Pair{Counts{90, 900}, Counts{10, 100}}, Pair{Counts{1, 100}, Counts{9, 900}})
	require.InDelta(t, 4.7, test.Times(test.Seen()), 0.2)
	require.InDelta(t, 1, test.Times(test.Fairly(test.Seen())), 0.03)
	require.Equal(t, Pair{}, NewTwoArms(Question{}, nil).Fairly(Pair{}))
}
