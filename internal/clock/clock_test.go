package clock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// moment is a local moment, whose wall clock and monotonic clock agree.
var moment = time.Now()

func TestClock(t *testing.T) {
	server := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	type word struct{ after, said time.Duration } // heard so long after the first moment
	for name, tt := range map[string]struct {
		words []word
		at    time.Duration
		want  time.Duration
	}{
		"what passed since":                {words: []word{{0, 0}}, at: time.Minute, want: time.Minute},
		"late word changes nothing":        {words: []word{{0, 0}, {time.Minute, 20 * time.Second}}, at: 2 * time.Minute, want: 2 * time.Minute},
		"earlier word was late":            {words: []word{{0, 0}, {time.Minute, 90 * time.Second}}, at: 2 * time.Minute, want: 150 * time.Second},
		"server set back":                  {words: []word{{0, 0}, {time.Minute, -time.Hour}}, at: 2 * time.Minute, want: -59 * time.Minute},
		"server set forward":               {words: []word{{0, 0}, {time.Minute, time.Hour}}, at: 2 * time.Minute, want: 61 * time.Minute},
		"old word gives way to a late one": {words: []word{{0, 0}, {11 * time.Minute, 650 * time.Second}}, at: 11 * time.Minute, want: 650 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			var c Clock
			for _, w := range tt.words {
				c.heardAt(server.Add(w.said), moment.Add(w.after))
			}
			require.Equal(t, tt.want, c.nowAt(moment.Add(tt.at)).Sub(server))
		})
	}
}

// Before the server has said anything there is only the wall clock.
func TestClockOfNobody(t *testing.T) {
	var c Clock
	c.Heard(time.Time{})
	require.WithinDuration(t, time.Now(), c.Now(), time.Second)
	require.InDelta(t, 0, c.Ahead(), float64(time.Second))
}

// A wall clock that is off, or is set in between, moves nothing.
func TestClockOfAWrongWall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Clock
		off := time.Duration(rapid.Int64Range(-int64(24*time.Hour), int64(24*time.Hour)).Draw(t, "off"))
		late := time.Duration(rapid.Int64Range(0, int64(mostLate)/2).Draw(t, "late"))
		server := time.Now().Add(off)
		c.Heard(server)
		c.Heard(server.Add(-late))
		require.WithinDuration(t, server, c.Now(), 5*time.Second)
		require.InDelta(t, -off, c.Ahead(), float64(5*time.Second))
	})
}
