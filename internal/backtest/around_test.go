package backtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
)

// two are looks of two strata every minute, as many as asked for, in which every arm counts one
// request.
func two(minutes int) health.Replay {
	r := health.Replay{Criteria: judge.Criteria{Every: time.Minute, Bake: 4 * time.Hour}}
	for i := range minutes {
		for s := range 2 {
			one := sequential.Counts{Bad: float64(s), Total: float64(1 + s)}
			r.Looks = append(r.Looks, judge.ArmCounts{At: time.Duration(i+1) * time.Minute, Exposed: new(one), Control: new(one)})
		}
	}
	return r
}

// What lies before a moment is read as far back as before a stage, and strata stay apart.
func TestAround(t *testing.T) {
	t.Parallel()
	r := two(600)
	got := around(r, 5*time.Hour)
	require.Len(t, got, 2*(300+240))
	require.Equal(t, -299*time.Minute, got[0].At)
	for i, l := range got {
		stratum := float64(i % 2)
		require.Equal(t, sequential.Counts{Bad: stratum, Total: 1 + stratum}, *l.Exposed, "%s", l.At)
		require.Equal(t, *l.Exposed, *l.Control)
	}
	require.Equal(t, 4*time.Hour, got[len(got)-1].At)
	require.InDelta(t, 1, r.Looks[0].Exposed.Total, 0, "the replay itself is left alone")
}

// The time in which an arm was not there yet is no past.
func TestAroundWhatWasNotThereYet(t *testing.T) {
	t.Parallel()
	r := two(600)
	for i := range r.Looks {
		if r.Looks[i].At <= 3*time.Hour && i%2 == 1 {
			r.Looks[i].Control = &sequential.Counts{}
		}
	}
	require.Equal(t, -119*time.Minute, around(r, 5*time.Hour)[0].At)
	for i := range r.Looks {
		if r.Looks[i].At <= 5*time.Hour {
			r.Looks[i].Exposed, r.Looks[i].Control = nil, nil
		}
	}
	require.Equal(t, time.Minute, around(r, 5*time.Hour)[0].At, "nothing is known from before")
}
