package judge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/sequential"
)

func TestReadSeries(t *testing.T) {
	t.Parallel()
	runs, err := ReadSeries("s.csv", strings.NewReader("run,t,exposed_bad,exposed_total,control_bad,control_total\n"+
		"b,-15,1,100,2,200\n\"a, quoted\",15.5,,100,2,200\nb,0,1,100,,\nb,15,NaN,100,+Inf,200\n"))
	require.NoError(t, err)
	require.Len(t, runs, 2)
	require.Equal(t, "b", runs[0].Run)
	require.Equal(t, "a, quoted", runs[1].Run)
	require.Len(t, runs[0].Looks(), 3)
	require.Equal(t, -15*time.Second, runs[0].Looks()[0].At)
	require.InDelta(t, 200, runs[0].Looks()[0].Control.Total, 0)
	require.Nil(t, runs[0].Looks()[1].Control, "an empty cell is no data")
	require.Nil(t, runs[0].Looks()[2].Exposed, "neither is what is no number")
	require.Nil(t, runs[1].Looks()[0].Exposed)
	require.Equal(t, 15*time.Second, Pace(runs[0].Looks()))
	require.Equal(t, 15*time.Second, runs[0].End())
	require.Zero(t, Pace(runs[1].Looks()))
}

// What is kept of a run is what was read of it, in less room.
func TestRecordedKeepsLooks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		odd := rapid.OneOf(
			rapid.Float64Range(-1, 1e16),
			rapid.SampledFrom([]float64{0, 1, 150, 1 << 50, 1<<50 - 1, 0.5, -1, 1e300}),
			rapid.Map(rapid.IntRange(0, 1e6), func(n int) float64 { return float64(n) }),
		)
		var want []ArmCounts
		var r Recorded
		at := time.Duration(rapid.Int64Range(-1e18, 1e18).Draw(t, "at"))
		for range rapid.IntRange(0, 20).Draw(t, "looks") {
			at += time.Duration(rapid.Int64Range(1, 1e12).Draw(t, "gap"))
			l := ArmCounts{At: at}
			for _, arm := range []**sequential.Counts{&l.Exposed, &l.Control} {
				if rapid.Bool().Draw(t, "seen") {
					*arm = counts(odd.Draw(t, "bad"), odd.Draw(t, "total"))
				}
			}
			require.True(t, r.add(l))
			require.False(t, r.add(l), "not later")
			want = append(want, l)
		}
		require.Equal(t, want, slices.Concat(r.Looks())) // nil where there is none
	})
	var r Recorded
	for _, l := range drawn(1, constant(1)) {
		r.add(l)
	}
	require.Less(t, len(r.rows), 15*r.n, "a row of a file has twice as much")
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
			c.Every, c.Bake = Pace(r.Looks()), r.End()
			require.NotEmpty(t, Run(c, r.Looks()).Verdict)
		}
	})
}

// However columns stand, and however rows of different runs mix, each run is read as what it is.
func TestOrderOfColumnsAndRunsDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var rows [][]string // of all runs, in order of time within each
		runs := rapid.IntRange(1, 4).Draw(t, "runs")
		for at := range rapid.IntRange(1, 12).Draw(t, "looks") {
			for r := range runs {
				row := []string{fmt.Sprintf("run, %d", r), fmt.Sprint(15 * (at - 3))}
				for range 4 {
					row = append(row, rapid.SampledFrom([]string{"", "0", "1", "7", "100", "1e3"}).Draw(t, "cell"))
				}
				rows = append(rows, row)
			}
		}
		straight := readAs(t, rows, []int{0, 1, 2, 3, 4, 5})
		apart := slices.SortedStableFunc(slices.Values(rows), func(a, b []string) int { return strings.Compare(a[0], b[0]) })
		require.Equal(t, straight, readAs(t, apart, rapid.Permutation([]int{0, 1, 2, 3, 4, 5}).Draw(t, "columns")))
	})
}

// readAs reads rows from CSV with its columns in such an order.
func readAs(t require.TestingT, rows [][]string, columns []int) map[string][]ArmCounts {
	var b strings.Builder
	for _, row := range append([][]string{header()}, rows...) {
		for i, c := range columns {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "%q", row[c])
		}
		b.WriteString("\r\n")
	}
	runs, err := ReadSeries("s.csv", strings.NewReader(b.String()))
	require.NoError(t, err)
	out := map[string][]ArmCounts{}
	for _, r := range runs {
		out[r.Run] = r.Looks()
	}
	return out
}

// One run as sluice judge and the bench see it: 120 looks after as many before.
func BenchmarkRun(b *testing.B) {
	for name, burst := range map[string]float64{"chance": 1, "bursts": 5} {
		b.Run(name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			var looks []ArmCounts
			for at := -119; at <= 120; at++ {
				errors := func(mean float64) float64 { // bursts of so many at once
					n := 0.0
					for range 20 {
						if r.Float64() < mean/burst/20 {
							n += burst
						}
					}
					return n
				}
				looks = append(looks, ArmCounts{
					At:      time.Duration(at) * 15 * time.Second,
					Exposed: &sequential.Counts{Bad: errors(0.75), Total: 150}, Control: &sequential.Counts{Bad: errors(14), Total: 2850},
				})
			}
			c := criteria()
			c.Every, c.Bake = 15*time.Second, 30*time.Minute
			b.ReportAllocs()
			for b.Loop() {
				if Run(c, looks).Verdict == Fail {
					b.Fatal("a healthy run fails")
				}
			}
		})
	}
}
