package judge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/sequential"
)

// What came before a lasting shift of the level is left out of a past; bursts, an incident and a
// job that comes every hour are no shift.
func TestSinceShift(t *testing.T) {
	for name, tc := range map[string]struct {
		times func(minutesAgo float64) float64
		want  time.Duration
	}{
		"calm":   {func(float64) float64 { return 1 }, 2 * time.Hour},
		"halved": {func(ago float64) float64 { return map[bool]float64{true: 2, false: 1}[ago > 60] }, time.Hour},
		"twice":  {func(ago float64) float64 { return map[bool]float64{true: 1, false: 2}[ago > 30] }, 30 * time.Minute},
		"twice two times": {func(ago float64) float64 {
			return map[bool]float64{true: 1, false: 2}[ago > 90] * map[bool]float64{true: 1, false: 2}[ago > 20]
		}, 20 * time.Minute},
		"an hourly job": {func(ago float64) float64 { return map[bool]float64{true: 5, false: 1}[int(ago)%60 < 2] }, 2 * time.Hour},
		"bursts":        {func(ago float64) float64 { return map[bool]float64{true: 10, false: 1}[int(ago)%25 < 2] }, 2 * time.Hour},
	} {
		var before []ArmCounts
		for ago := 2*time.Hour - 15*time.Second; ago >= 0; ago -= 15 * time.Second {
			bad := tc.times(ago.Minutes())
			before = append(before, ArmCounts{At: -ago, Exposed: &sequential.Counts{Bad: bad, Total: 200}})
		}
		got := sinceShift(before)
		require.Equal(t, tc.want, time.Duration(len(got))*15*time.Second, name)
	}
	var idle []ArmCounts // an hour without events says nothing, and hides no shift
	for ago := 3*time.Hour - 15*time.Second; ago >= 0; ago -= 15 * time.Second {
		c := sequential.Counts{Bad: 1, Total: 200}
		switch {
		case ago >= 2*time.Hour:
			c.Bad = 3
		case ago >= time.Hour:
			c = sequential.Counts{}
		}
		idle = append(idle, ArmCounts{At: -ago, Exposed: &c})
	}
	require.Equal(t, 240, len(sinceShift(idle))) //nolint:testifylint // Len prints all looks
	require.Empty(t, sinceShift(nil))
	require.Len(t, sinceShift([]ArmCounts{{At: -time.Hour}, {}}), 2, "nothing was seen")
}
