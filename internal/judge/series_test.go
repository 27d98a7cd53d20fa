package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReadSeries(t *testing.T) {
	t.Parallel()
	runs, err := ReadSeries("s.csv", strings.NewReader("run,t,exposed_bad,exposed_total,control_bad,control_total\n"+
		"b,-15,1,100,2,200\n\"a, quoted\",15.5,,100,2,200\nb,0,1,100,,\nb,15,NaN,100,+Inf,200\n"))
	require.NoError(t, err)
	require.Len(t, runs, 2)
	require.Equal(t, "b", runs[0].Run)
	require.Equal(t, "a, quoted", runs[1].Run)
	require.Len(t, runs[0].Looks, 3)
	require.Equal(t, -15*time.Second, runs[0].Looks[0].At)
	require.InDelta(t, 200, runs[0].Looks[0].Control.Total, 0)
	require.Nil(t, runs[0].Looks[1].Control, "an empty cell is no data")
	require.Nil(t, runs[0].Looks[2].Exposed, "neither is what is no number")
	require.Nil(t, runs[1].Looks[0].Exposed)
	require.Equal(t, 15*time.Second, runs[0].Pace())
	require.Equal(t, 15*time.Second, runs[0].End())
	require.Zero(t, runs[1].Pace())
}

// Whatever a file holds, it is refused with a place, or judged.
func FuzzReadSeries(f *testing.F) {
	f.Add("run,t,exposed_bad,exposed_total,control_bad,control_total\na,-15,1,10,1,100\na,15,2,10,1,100\n")
	f.Add("t,run,exposed_bad,exposed_total,control_bad,control_total\n1e9,,,,,\n")
	f.Add("\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		runs, err := ReadSeries("s.csv", strings.NewReader(text))
		if err != nil {
			require.Contains(t, err.Error(), "s.csv")
			return
		}
		for _, r := range runs {
			c := criteria()
			c.Every, c.Bake = r.Pace(), r.End()
			require.NotEmpty(t, Run(c, r.Looks).Verdict)
		}
	})
}
