package rollout

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBackWord(t *testing.T) {
	for _, tc := range []struct {
		back     []Back
		reverted int
		want     string
	}{
		{nil, 12, ""}, // an outcome of a worker that did not count
		{[]Back{{"v41", 12}}, 12, "back on v41: 12 targets"},
		{[]Back{{"v41", 1}}, 1, "back on v41: 1 target"},
		{[]Back{{"v40", 3}, {"v41", 9}}, 12, "back on v41: 9 targets; on v40: 3"},
		{[]Back{{"", 3}}, 3, "back without the unit, as before: 3 targets"},
		{[]Back{{"v41", 2}, {"", 1}}, 4, "back on v41: 2 targets; without the unit, as before: 1; on others: 1"},
		{[]Back{{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}, {"f", 1}}, 6, "back on a: 1 target; on b: 1; on c: 1; on d: 1; on e: 1; on others: 1"},
	} {
		require.Equal(t, tc.want, Outcome{Back: tc.back, Reverted: tc.reverted}.BackWord())
	}
}

func TestCountBackIsBounded(t *testing.T) {
	var counts []Back
	for i := range 100 {
		counts = CountBack(counts, fmt.Sprint("r", i), 1)
	}
	require.Len(t, counts, maxBack)
	require.Equal(t, 3, CountBack(counts, "r0", 2)[0].Targets)
}
