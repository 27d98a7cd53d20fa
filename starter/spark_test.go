package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/sequential"
	"github.com/sluicehq/sluice/internal/spec"
)

// rising is the trace of so many looks in which the exposed arm becomes worse.
func rising(looks int) judge.Trace {
	var out judge.Trace
	for i := range looks {
		out = append(out, judge.Point{Pair: sequential.Pair{
			Exposed: sequential.Counts{Bad: float64(i), Total: 100}, Control: sequential.Counts{Bad: 7, Total: 1000},
		}, Looks: 1})
	}
	return out
}

func TestSparklines(t *testing.T) {
	gaps := rising(8)
	gaps[2].Control, gaps[7].Control = sequential.Counts{}, sequential.Counts{}
	for name, test := range map[string]struct {
		of    health.Result
		after time.Duration
		width int
		want  []string
	}{
		"harm": {
			of: health.Result{Verdict: health.Fail, Trace: rising(8)}, after: 90 * time.Second,
			want: []string{
				"exposed ▁▂▃▄▅▆▇█ 3.5% │ FAIL after 1m30s",
				"control ▂▂▂▂▂▂▂▂ 0.7% │ █ is 7%",
			},
		},
		"nothing happened in some looks": {
			of: health.Result{Verdict: health.Pass, Against: spec.AgainstControl, Trace: gaps}, after: 2 * time.Minute,
			want: []string{
				"exposed ▁▂▃▄▅▆▇█ 3.5% │ PASS after 2m",
				"control ▂▂ ▂▂▂▂  0.7% │ █ is 7%",
			},
		},
		"means of a number": {
			of: health.Result{Verdict: health.Pass, Mean: true, Trace: judge.Trace{
				{Pair: sequential.Pair{Exposed: sequential.Counts{Bad: 140, Total: 2}, Control: sequential.Counts{Bad: 1000, Total: 10}}, Looks: 1},
				{Pair: sequential.Pair{Exposed: sequential.Counts{Bad: 200, Total: 2}, Control: sequential.Counts{Bad: 1020, Total: 10}}, Looks: 1},
			}}, after: time.Minute,
			want: []string{
				"exposed ▆█ 85  │ PASS after 1m",
				"control ██ 101 │ █ is 102",
			},
		},
		"nobody knows since when": {
			of: health.Result{Verdict: health.Unexercised, Against: spec.AgainstBefore, Trace: rising(3)},
			want: []string{
				"exposed ▁▅█ 1%   │ UNEXERCISED",
				"before  ▃▃▃ 0.7% │ █ is 2%",
			},
		},
		"an objective allows": {
			of: health.Result{Verdict: health.Pass, Against: health.AgainstObjective, Trace: rising(2)}, after: time.Minute,
			want: []string{
				"exposed ▁█ 0.5% │ PASS after 1m",
				"allowed ▆▆ 0.7% │ █ is 1%",
			},
		},
		"decides nothing": {
			of: health.Result{Verdict: health.Fail, Advisory: true, Trace: rising(8)}, after: time.Minute,
			want: []string{
				"exposed ▁▂▃▄▅▆▇█ 3.5% │ FAIL after 1m (advisory)",
				"control ▂▂▂▂▂▂▂▂ 0.7% │ █ is 7%",
			},
		},
		"a narrow terminal": {
			of: health.Result{Verdict: health.Fail, Trace: rising(40)}, after: 10 * time.Minute, width: 44,
			want: []string{
				"exposed ▁▂▂▃▃▄▄▅▅▆▇▇██ 20%  │ FAIL after 10m",
				"control ▁▁▁▁▁▁▁▁▁▁▁▁▁▁ 0.7% │ █ is 39%",
			},
		},
		"no room":         {of: health.Result{Verdict: health.Fail, Trace: rising(40)}, width: 27},
		"nothing bad":     {of: health.Result{Verdict: health.Pass, Trace: nothingBad()}, want: []string{"exposed ▁▁▁ 0% │ PASS", "control ▁▁▁ 0% │ █ is 0%"}},
		"a single point":  {of: health.Result{Verdict: health.Fail, Trace: rising(1)}},
		"no comparison":   {of: health.Result{Verdict: health.Fail}},
		"nothing at all":  {of: health.Result{Verdict: health.Pass, Trace: make(judge.Trace, 2)}, want: []string{"exposed    – │ PASS", "control    – │ █ is 0%"}},
		"from a stranger": {of: health.Result{Verdict: "\x1b", Against: "\x1b", Trace: nothingBad()}, want: []string{`exposed ▁▁▁ 0% │ \x1b`, `\x1b    ▁▁▁ 0% │ █ is 0%`}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, sparklines(test.of, test.after, test.width, false))
			require.Equal(t, test.want, strippedOrNil(sparklines(test.of, test.after, test.width, true)))
		})
	}
}

func strippedOrNil(lines []string) []string {
	if lines == nil {
		return nil
	}
	return stripped(lines)
}

func nothingBad() judge.Trace {
	out := rising(3)
	for i := range out {
		out[i].Exposed.Bad, out[i].Control.Bad = 0, 0
	}
	return out
}

// Whatever was seen, a drawing is never wider than the terminal, and both arms end at the same
// place.
func TestSparklinesFit(t *testing.T) {
	count := rapid.OneOf(rapid.Float64(), rapid.Float64Range(0, 1000))
	rapid.Check(t, func(t *rapid.T) {
		verdicts := rapid.SampledFrom([]health.Verdict{health.Pass, health.Fail, health.Unexercised})
		r := health.Result{Verdict: verdicts.Draw(t, "verdict"), Advisory: rapid.Bool().Draw(t, "advisory")}
		for range rapid.IntRange(0, 40).Draw(t, "points") {
			r.Trace = append(r.Trace, judge.Point{Pair: sequential.Pair{
				Exposed: sequential.Counts{Bad: count.Draw(t, "bad"), Total: count.Draw(t, "total")},
				Control: sequential.Counts{Bad: count.Draw(t, "bad"), Total: count.Draw(t, "total")},
			}, Looks: 1})
		}
		width := rapid.IntRange(1, 120).Draw(t, "width")
		lines := sparklines(r, time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "after")), width, true)
		if len(lines) == 0 {
			return
		}
		require.Len(t, lines, 2)
		ends := [2]int{}
		for i, l := range lines {
			require.LessOrEqual(t, ansi.StringWidth(l), width)
			before, _, ok := strings.Cut(ansi.Strip(l), "│")
			require.True(t, ok)
			ends[i] = ansi.StringWidth(before)
		}
		require.Equal(t, ends[0], ends[1])
	})
}

func TestNumbersOfAComparison(t *testing.T) {
	r := health.Result{Check: "errors", Verdict: health.Fail, Trace: rising(8), Value: new(3.1), Limit: new(1.2), Samples: 800}
	require.Equal(t, "about 3.1× (limit 1.2×)", numbers(r))
	require.Equal(t, "about 3.1×", numbers(health.Result{Trace: rising(8), Value: new(3.1), Mean: true}))
	r.Estimate = r.Value
	require.Equal(t, "about 3.1× (limit 1.2×)", numbers(r), "the estimate itself")
	r.Value = new(1.14)
	require.Equal(t, "at least 1.1× (limit 1.2×)", numbers(r), "what chance leaves of the estimate")
	r.Mean, r.Estimate, r.Value, r.Limit = true, new(0.5), new(0.8), new(0.8)
	require.Equal(t, "about 0.5×, may be 0.8× (limit 0.8×)", numbers(r), "a drop, of which chance may have done all that is too much")
	r.Advisory = true
	require.Equal(t, "✗ errors (advisory)", checkName(r, false))
}

func TestInASCII(t *testing.T) {
	r := health.Result{Verdict: health.Fail, Trace: rising(8)}
	con := &console{ascii: true}
	require.Equal(t, []string{
		"exposed _.:-=+*# 3.5% | FAIL after 1m30s",
		"control ........ 0.7% | # is 7%",
	}, con.shown(sparklines(r, 90*time.Second, 0, false)))
	for name, v := range views() {
		drawn := tree(v, at(12*time.Minute), 0, false)
		for i, l := range con.shown(drawn) {
			require.Len(t, l, ansi.StringWidth(drawn[i]), "%s: only ASCII, and as wide: %q", name, l)
		}
	}
	require.Equal(t, "é stays", inASCII("é stays"))
}

func TestASCIIOnly(t *testing.T) {
	for name, test := range map[string]struct {
		env  map[string]string
		want bool
	}{
		"nothing known":       {nil, false},
		"UTF-8":               {map[string]string{"LANG": "de_DE.UTF-8", "TERM": "xterm"}, false},
		"its other spelling":  {map[string]string{"LC_CTYPE": "en_US.utf8"}, false},
		"C":                   {map[string]string{"LANG": "C"}, true},
		"Latin 1":             {map[string]string{"LANG": "de_DE.ISO-8859-1"}, true},
		"LC_ALL wins":         {map[string]string{"LC_ALL": "C", "LANG": "C.UTF-8"}, true},
		"LC_CTYPE beats LANG": {map[string]string{"LC_CTYPE": "C.UTF-8", "LANG": "C"}, false},
		"a dumb terminal":     {map[string]string{"TERM": "dumb", "LANG": "C.UTF-8"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, asciiOnly(func(k string) string { return test.env[k] }))
		})
	}
}
