package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/judge"
)

const csvHeader = "run,t,exposed_bad,exposed_total,control_bad,control_total\n"

// write puts text into a file of the test's own.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// csvRows are looks of a run, with so many bad of a hundred exposed requests since the change.
func csvRows(run string, bad int) string {
	s := &strings.Builder{}
	for i := -20; i <= 40; i++ {
		n := 1
		if i > 0 {
			n = bad
		}
		fmt.Fprintf(s, "%s,%d,%d,100,%d,1000\n", run, 15*i, n+i&1, 10+i&3)
	}
	return s.String()
}

func TestJudgeCommand(t *testing.T) {
	check := write(t, "check.yaml", "against: control\nevery: 15s\nbake: 10m\nfalseRollbackRate: 1%\n")
	series := write(t, "series.csv", csvHeader+csvRows("good", 1)+csvRows("bad", 12))
	got := sluice(t, "", "judge", "--check", check, "--series", series, "--output", "json")
	require.Zero(t, got.code, got.errOut)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	require.Len(t, lines, 2)
	var first, second recorded
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &second))
	require.Equal(t, "good", first.Run)
	require.Equal(t, judge.Pass, first.Verdict, first.Evidence)
	require.InDelta(t, 600, first.T, 1e-9)
	require.Equal(t, "bad", second.Run)
	require.Equal(t, judge.Fail, second.Verdict, second.Evidence)
	require.Less(t, second.T, 300.0)
	require.Greater(t, second.LnE, 4.6)
	require.Greater(t, second.Ratio, 5.0)

	// The same rows in another order of runs and columns, from standard input.
	var mixed []string
	for _, line := range strings.Split(strings.TrimSpace(csvRows("good", 1)), "\n") {
		c := strings.Split(line, ",")
		mixed = append(mixed, strings.Join([]string{c[5], c[4], c[3], c[2], c[1], c[0]}, " , "))
	}
	text := "\uFEFFcontrol_total,control_bad,exposed_total,exposed_bad,t,run\r\n" + strings.Join(mixed, "\r\n") + "\r\n"
	again := sluice(t, text, "judge", "--check", check, "--series", "-", "--output", "json")
	require.Equal(t, lines[0]+"\n", again.out, again.errOut)

	words := sluice(t, "", "judge", "--check", check, "--series", series)
	require.Regexp(t, `(?m)^good: PASS at 600 s: exposed .* no harm is established`, words.out)
	require.Regexp(t, `(?m)^bad: FAIL at \d+ s: exposed .* chance does this in less than`, words.out)
}

func TestJudgeRefuses(t *testing.T) {
	fine := csvHeader + csvRows("r", 1)
	for name, test := range map[string]struct{ check, series, says string }{
		"unknown field":     {"agianst: control\n", fine, `check.yaml:1:1: unknown field "agianst", did you mean "against"?`},
		"no criterion":      {"worse: 20%\n", fine, "against: is required"},
		"another form":      {"against: control\nprobe: {http: x}\n", fine, "check.yaml:2:8: probe: cannot be judged from recorded counts"},
		"percent missing":   {"against: control\nworse: 20\n", fine, "did you mean 20%?"},
		"no rate":           {"against: control\nfalseRollbackRate: 0\n", fine, "expected more than 0%"},
		"no bake":           {"against: control\nbake: 0s\n", fine, "is watched for no time"},
		"bake upside down":  {"against: control\nbake: {min: 9m, max: 3m, enough: 2x}\n", fine, "expected at most max, 3m"},
		"unknown against":   {"against: yesterday\n", fine, "expected control or before"},
		"two criteria":      {"against: control\nobjective: 99%\n", fine, "cannot be combined with against"},
		"empty series":      {"against: control\n", "", "series.csv: is empty, expected the header run,t,exposed_bad"},
		"only a header":     {"against: control\n", csvHeader, "series.csv: has no rows"},
		"another header":    {"against: control\n", "run,time\n1,2\n", `series.csv:1: the header is "run,time", expected run,t,`},
		"a column twice":    {"against: control\n", "run,t,t,exposed_total,control_bad,control_total\n", "series.csv:1: the header is"},
		"a word in a cell":  {"against: control\n", csvHeader + "r,15,x,1,1,1\n", `series.csv:2:6: exposed_bad is "x", expected a number`},
		"no time":           {"against: control\n", csvHeader + "r,,1,1,1,1\n", `series.csv:2:3: t is "", expected seconds since the change`},
		"a time far off":    {"against: control\n", csvHeader + "r,1e300,1,1,1,1\n", `t is "1e300", expected seconds`},
		"a cell too few":    {"against: control\n", csvHeader + "r,15,1,1,1\n", "series.csv:2:1: wrong number of fields, expected 6 cells"},
		"out of order":      {"against: control\n", csvHeader + "r,30,1,1,1,1\nr,15,1,1,1,1\n", `series.csv:3:3: t is 15 s, and the row of run "r" before it has 30 s`},
		"a date for a time": {"against: control\n", csvHeader + "r,1e10,1,1,1,1\n", `series.csv:2:3: t is "1e10", expected seconds since the change, a number between -1e9 and 1e9`},
		"a cell too many":   {"against: control\n", csvHeader + "r,15,1,1,1,1,1\n", "series.csv:2:1: wrong number of fields, expected 6 cells"},
		"a column missing":  {"against: control\n", "run,t,exposed_bad,exposed_total,control_bad\nr,15,1,1,1\n", `series.csv:1: the header is "run,t,exposed_bad,exposed_total,control_bad", expected run,t,exposed_bad,exposed_total,control_bad,control_total`},
		"a column more":     {"against: control\n", "why," + csvHeader + "x,r,15,1,1,1,1\n", `series.csv:1: the header is "why,run,t,`},
		"semicolons":        {"against: control\n", strings.ReplaceAll(csvHeader, ",", ";"), `series.csv:1: the header is "run;t;exposed_bad;`},
		"an open quote":     {"against: control\n", csvHeader + "\"r,15,1,1,1,1\n", `series.csv:2:15: extraneous or missing " in quoted-field, expected 6 cells`},
		"a lone quote":      {"against: control\n", csvHeader + "r\"x,15,1,1,1,1\n", `series.csv:2:2: bare " in non-quoted-field, expected 6 cells`},
		"a program":         {"against: control\n", "\x7fELF\x02\x01\x00" + strings.Repeat("\x00\xff", 500_000), `series.csv:1: the header is "\x7fELF\x02\x01\x00`},
		"binary":            {"against: control\n", "\x00\"\xff", `series.csv:1:2: bare " in non-quoted-field, expected the header run,t,`},
		"empty check":       {"", fine, "check.yaml:1:1: the file is empty, expected a YAML document"},
		"the same moment":   {"against: control\n", csvHeader + "r,15,1,1,1,1\nr,15,1,1,1,1\n", "each moment once"},
	} {
		t.Run(name, func(t *testing.T) {
			got := sluice(t, "", "judge", "--check", write(t, "check.yaml", test.check),
				"--series", write(t, "series.csv", test.series))
			require.Equal(t, exitInvalid, got.code, got.errOut)
			require.Contains(t, got.errOut, test.says)
			require.Less(t, len(got.errOut), 1000, "a message is read by people")
			require.Empty(t, got.out)
			asJSON := sluice(t, "", "judge", "--check", write(t, "check.yaml", test.check), "--series", write(t, "series.csv", test.series), "--output", "json")
			require.Equal(t, exitInvalid, asJSON.code)
			var f failure
			require.NoError(t, json.Unmarshal([]byte(asJSON.out), &f), "one object: %s", asJSON.out)
			require.Equal(t, exitInvalid, f.Code)
		})
	}
	got := sluice(t, "", "judge", "--check", write(t, "check.yaml", "against: control\n"), "--series", t.TempDir())
	require.Equal(t, exitInvalid, got.code)
	require.Contains(t, got.errOut, ": is a directory")
	got = sluice(t, "", "judge", "--check", "check.yaml", "--series", "series.csv", "more")
	require.Equal(t, exitInvalid, got.code)
	require.Contains(t, got.errOut, `unexpected argument "more"`)
	got = sluice(t, "", "judge", "--check", "-", "--series", "-")
	require.Equal(t, exitInvalid, got.code)
	require.Contains(t, got.errOut, "expected at most one of them to be standard input")
	got = sluice(t, "", "judge", "--check", "gone.yaml", "--series", "gone.csv")
	require.Equal(t, exitInvalid, got.code)
	require.Contains(t, got.errOut, "gone.yaml")
	got = sluice(t, "", "judge", "--series", "gone.csv")
	require.Equal(t, exitInvalid, got.code)
	require.Contains(t, got.errOut, "judge needs --check and --series")
}

// What README.md shows is what the command answers.
func TestJudgeExample(t *testing.T) {
	got := sluice(t, "", "judge", "--check", "../examples/judge/check.yaml", "--series", "../examples/judge/series.csv")
	require.Zero(t, got.code, got.errOut)
	for _, says := range []string{
		`(?m)^healthy: PASS at 900 s: `, `(?m)^twice-the-errors: FAIL at \d{2,3} s: `, `(?m)^late: FAIL at [67]\d\d s: `,
		`(?m)^shared-incident: PASS at 900 s: `, `(?m)^no-traffic: FAIL at 60 s: 0% of all requests, 10% before the change`, `(?m)^source-away: STALE at 900 s: `,
	} {
		require.Regexp(t, says, got.out)
	}
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "```\n"+got.out+"```\n", "README.md shows another answer: run the command, and paste what it says")
}
