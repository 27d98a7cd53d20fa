package promql_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/sluicehq/sluice/internal/promql"
)

func TestCheckAccepts(t *testing.T) {
	for _, expr := range []string{
		`up`,
		`1`,
		`sum(increase(http_requests_total{code=~"5..",$cohort}[$window]))`,
		`sum(rate(a{$exposed}[$window])) / sum(rate(a{ $control , code!="$" }[$window] offset $window))`,
		`max_over_time(sum(rate(a{$cohort}[1m]))[$window:15s])`,
		"sum(a{version=\"$release\",was='$previous',unit=`$unit`,stage=~\"$stage.*\"}) # a comment with $nonsense \" and {",
		`label_replace(a{$cohort}, "x", "$1", "y", "(.*)")`,
		`a{path=~"foo$", b="it's \"$release\""}`,
		`sum(a{"utf8 name"="x",$cohort})`,
	} {
		require.NoError(t, promql.Check(expr), expr)
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, tc := range []struct{ before, at, message string }{
		{"sum(rate(a{$cohort}[$window", "", "unclosed left parenthesis"},
		{"sum(rate(a{", "$cohrt}[5m]))", "did you mean $cohort?"},
		{"sum(rate(a{", "$zzzzzz}[5m]))", "unknown placeholder $zzzzzz (known: $exposed"},
		{"rate(a{$cohort}[$window]) + ", "ratee(a)", "unknown function"},
		{"a{$cohort} + ", "nope(a)", `unknown function with name "nope"`},
		{"", "a{$cohort}[$window]", "range vector, expected an instant vector"},
		{"", `"text"`, "string, expected an instant vector"},
		{"a ", "$cohort", "expected it between braces"},
		{"sum by (", "$cohort) (a)", "expected it between braces"},
		{"a{job=", "$cohort}", "expected it between braces"},
		{`a{job="`, `$cohort"}`, "inside quotes"},
		{"a{version=", "$release}", "expected it inside quotes"},
		{`label_replace(a, "x", "`, `$release", "y", "z")`, "only in the value of a label"},
		{`a{"`, `$release"="x"}`, "only in the value of a label"},
		{`a{x="`, `$nope"}`, "unknown placeholder $nope"},
		{"a * ", "$window", "expected it between brackets"},
		{"a{x=1} ", "", "unexpected"},
		{"", "", "no expression found"},
		{"a + ", "$ b", "a $ stands alone"},
		{"a{", "\x1b}", "unexpected character"},
	} {
		err := promql.Check(tc.before + tc.at)
		var at *promql.Error
		require.ErrorAs(t, err, &at, tc.before+tc.at)
		require.Contains(t, at.Message, tc.message)
		require.NotContains(t, at.Message, "\x1b")
		if tc.at != "" {
			require.Equal(t, len(tc.before), at.Offset, "%s: %s", tc.before+tc.at, err)
		}
	}
	require.ErrorContains(t, promql.Check("a"+strings.Repeat("+a", promql.MaxLength)), "expected at most 16384")
	require.ErrorContains(t, promql.Check("a\xff"), "not valid UTF-8")
	require.Error(t, promql.Check(strings.Repeat("(", promql.MaxLength-1)))
}

func TestFill(t *testing.T) {
	v := promql.Values{
		Label: "instance", Exposed: []string{"10.0.0.1:80", "b"}, Cohort: []string{"b"},
		Window: 90*time.Second + 5*time.Microsecond, Release: "1.2|x", Previous: `it's"`, Unit: "web", Stage: "canary",
	}
	for _, tc := range []struct{ expr, want string }{
		{`sum(rate(a{$exposed}[$window]))`, `sum(rate(a{instance=~"10\\.0\\.0\\.1:80|b"}[1m30s]))`},
		{`a{code="500",$cohort}`, `a{code="500",instance=~"b"}`},
		{`a{$control}`, `a{instance=~"[^\\x00-\\x{10FFFF}]"}`},
		{`a{v="$release",w=~"$release"}`, `a{v="1.2|x",w=~"1\\.2\\|x"}`},
		{`a{v="$previous",w='$previous'}`, `a{v="it's\"",w='it\'s"'}`},
		{"a{v=`$unit`,w=\"$stage\"}", "a{v=`web`,w=\"canary\"}"},
		{`{__name__="$unit"}`, `{__name__="web"}`},
		{`a[2m:1m] # $`, ``},
	} {
		got, err := promql.Fill(tc.expr, v)
		if tc.want == "" {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err, tc.expr)
		require.Equal(t, tc.want, got)
	}
}

// Metrics may know a target by any label.
func TestFillWithAnyLabel(t *testing.T) {
	for _, label := range []string{"instance", "target", "pod", "host_name", "on", "by"} {
		got, err := promql.Fill(`sum(rate(a{z="1",$exposed}[$window]))`, promql.Values{Label: label, Exposed: []string{"x"}, Window: time.Minute})
		require.NoError(t, err, label)
		require.Equal(t, `sum(rate(a{z="1",`+label+`=~"x"}[1m]))`, got)
	}
}

func TestFillRefuses(t *testing.T) {
	for name, v := range map[string]promql.Values{
		"label":   {Label: `x"}`, Window: time.Minute, Exposed: []string{"a"}},
		"no name": {Window: time.Minute, Exposed: []string{"a"}},
		"window":  {Label: "x", Window: time.Microsecond},
		"utf8":    {Label: "x", Window: time.Minute, Exposed: []string{"\xff"}},
		"release": {Label: "x", Window: time.Minute, Release: "\xff"},
		"raw":     {Label: "x", Window: time.Minute, Release: "`"},
	} {
		_, err := promql.Fill("sum(rate(a{$exposed,v=`$release`}[$window]))", v)
		require.Error(t, err, name)
	}
}

// TestEmptyArm asserts that the matcher of an arm without targets selects no series, not even those
// that lack the label.
func TestEmptyArm(t *testing.T) {
	for _, arm := range [][]string{nil, {}, {""}} {
		filled, err := promql.Fill(`a{$control}`, promql.Values{Label: "instance", Control: arm})
		require.NoError(t, err)
		_, matchers, err := promql.ParseSelector(filled)
		require.NoError(t, err)
		require.Len(t, matchers, 1)
		for _, value := range []string{"", "a", "\x00", "\U0010ffff", "\n", "é"} {
			require.False(t, matchers[0].Matches(value), "%q", value)
		}
	}
}

// TestFillIsInjectionProof fills hostile values and asserts that each one comes back as the value
// of its own matcher, and that nothing else changed.
func TestFillIsInjectionProof(t *testing.T) {
	hostile := rapid.OneOf(
		rapid.Just(`web"}[5m])) * 0 or sum(rate(x{a="`),
		rapid.StringMatching("[\"'`\\\\{}$|.*a\n]{0,12}"),
		rapid.StringN(0, 20, -1).Filter(func(s string) bool { return strings.ToValidUTF8(s, "") == s }),
	)
	rapid.Check(t, func(t *rapid.T) {
		release, value := hostile.Draw(t, "release"), hostile.Draw(t, "value")
		filled, err := promql.Fill(`sum(rate(a{v="$release",w='$release',x=~"$release",$exposed}[5m]))`,
			promql.Values{Label: "instance", Exposed: []string{value, "other"}, Release: release})
		require.NoError(t, err)
		tree, err := parser.NewParser(parser.Options{}).ParseExpr(filled)
		require.NoError(t, err)
		selectors := parser.ExtractSelectors(tree)
		require.Len(t, selectors, 1)
		byName := map[string]*labels.Matcher{}
		for _, m := range selectors[0] {
			byName[m.Name] = m
		}
		require.Len(t, byName, 5)
		require.Equal(t, release, byName["v"].Value)
		require.Equal(t, release, byName["w"].Value)
		require.True(t, byName["x"].Matches(release))
		require.Equal(t, value != "", byName["instance"].Matches(value) && value != "")
		require.True(t, byName["instance"].Matches("other"))
		require.False(t, byName["instance"].Matches("somebody else entirely"))
		require.False(t, byName["instance"].Matches(""))
	})
}

// TestEveryPlaceholderIsInjectionProof fills each placeholder in each of its places with PromQL,
// and compares the tree that comes of it with the one of harmless values: only the values of
// matchers may differ, and they hold what was filled in.
func TestEveryPlaceholderIsInjectionProof(t *testing.T) {
	const evil = `web"}[5m])) * 0 or sum(rate(x{a="`
	const harmless = "web"
	values := func(v string) promql.Values {
		return promql.Values{
			Label: "instance", Exposed: []string{v, "b"}, Cohort: []string{v}, Control: []string{"b", v},
			Window: time.Minute, Release: v, Previous: v, Unit: v, Stage: v,
		}
	}
	var exprs []string
	for _, arm := range []string{"exposed", "cohort", "control"} {
		exprs = append(exprs, `sum(rate(a{$`+arm+`}[$window]))`, `sum(rate(a{b="c",$`+arm+`}[5m] offset $window)) / ignoring(x) max(b{$`+arm+`})`)
	}
	for _, text := range []string{"release", "previous", "unit", "stage"} {
		for _, matcher := range []string{`="$%s"`, `='$%s'`, `!="$%s"`, `=~"$%s"`, `=~'x|$%s.*'`, `!~"$%s"`, "=`$%s`", "=~`$%s`", `="a$%s.b$%[1]s"`} {
			exprs = append(exprs, `sum(rate(a{v`+fmt.Sprintf(matcher, text)+`}[5m])) or {__name__="$unit"}`)
		}
	}
	for _, expr := range exprs {
		filled, err := promql.Fill(expr, values(evil))
		require.NoError(t, err, expr)
		plain, err := promql.Fill(expr, values(harmless))
		require.NoError(t, err, expr)
		got, found := blanked(t, filled)
		want, _ := blanked(t, plain)
		require.Equal(t, want, got, expr)
		for _, m := range found {
			if m.Name == "v" && m.Type == labels.MatchEqual && !strings.Contains(expr, "a$") {
				require.Equal(t, evil, m.Value)
			}
			if m.Name == "v" && m.Type == labels.MatchRegexp {
				require.True(t, m.Matches(evil), filled)
				require.False(t, m.Matches(harmless), filled)
			}
			if m.Name == "instance" {
				require.True(t, m.Matches(evil), filled)
				require.False(t, m.Matches("x"), filled)
			}
		}
	}
}

// blanked is a query's tree without the values of its matchers, and the matchers.
func blanked(t *testing.T, query string) (string, []labels.Matcher) {
	t.Helper()
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	require.NoError(t, err, query)
	var found []labels.Matcher
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			for _, m := range s.LabelMatchers {
				found = append(found, *m)
				m.Value = "_"
			}
			s.Name = ""
		}
		return nil
	})
	return parser.Prettify(tree), found
}

func TestPlaceholders(t *testing.T) {
	require.Equal(t, []string{"cohort", "window", "release"},
		promql.Placeholders(`sum(rate(a{$cohort}[$window])) / sum(rate(b{$cohort,v="$release"}[$window])) # $exposed`))
	require.Empty(t, promql.Placeholders(`a{x="5..$"}`))
}

func TestSelectors(t *testing.T) {
	got, err := promql.Selectors(`sum(rate(a{x="1"}[5m] offset 1h)) / sum(rate(a{x="1"}[5m])) + max_over_time(b[5m:1m]) + {"c d", y=~"z"} @ 5`)
	require.NoError(t, err)
	require.Equal(t, []string{`a{x="1"}`, `b`, `{__name__="c d",y=~"z"}`}, got)
	for _, s := range got {
		require.NoError(t, promql.Check(s), s)
	}
	_, err = promql.Selectors(`a{`)
	require.Error(t, err)
}

func TestParseSelector(t *testing.T) {
	name, matchers, err := promql.ParseSelector(` http_requests_total{code=~"5..", job!="x$"} `)
	require.NoError(t, err)
	require.Equal(t, "http_requests_total", name)
	require.Len(t, matchers, 2)
	require.True(t, matchers[0].Matches("503"))

	name, matchers, err = promql.ParseSelector(`{"http.requests", code="200"}`)
	require.NoError(t, err)
	require.Equal(t, "http.requests", name)
	require.Len(t, matchers, 1)

	for _, tc := range []struct {
		expr    string
		offset  int
		message string
	}{
		{`sum(a)`, 0, "the aggregation sum, expected a metric"},
		{` rate(a[5m])`, 1, "the function rate"},
		{`a[5m]`, 0, "a range"},
		{`a / b`, 0, "a calculation"},
		{`a offset 5m`, 0, "has an offset"},
		{`a @ 5`, 0, "has an offset or a time"},
		{`{code="500"}`, 0, "no metric name"},
		{`{__name__=~"a.*"}`, 0, "several metric names"},
		{`a{$cohort}`, 2, "$cohort is a placeholder"},
		{`a{v="$release"}`, 5, "$release is a placeholder"},
		{`a{`, 2, "invalid PromQL"},
		{`1`, 0, "a number"},
	} {
		_, _, err := promql.ParseSelector(tc.expr)
		at, ok := errors.AsType[*promql.Error](err)
		require.True(t, ok, tc.expr)
		require.Contains(t, at.Message, tc.message)
		require.Equal(t, tc.offset, at.Offset, tc.expr)
	}
}

// Whatever an expression and a value are, the value never changes what is asked.
func FuzzFill(f *testing.F) {
	f.Add(`sum(rate(a{$cohort,v="$release"}[$window]))`, `x"}`)
	f.Add("a{v=`$unit`} # $", "`")
	f.Add(`sum(rate(a{u="$unit",s=~'$stage.*',p!="$previous",$exposed}[$window])) / sum(b{$control} offset $window)`, `web"}[5m])) * 0 or sum(rate(x{a="`)
	f.Fuzz(func(t *testing.T, expr, value string) {
		if promql.Check(expr) != nil {
			return
		}
		values := func(v string) promql.Values {
			return promql.Values{
				Label: "l", Exposed: []string{v, "b"}, Cohort: []string{v}, Control: []string{v}, Window: time.Minute,
				Release: v, Previous: v, Unit: v, Stage: v,
			}
		}
		filled, err := promql.Fill(expr, values(value))
		if err != nil {
			return
		}
		plain, err := promql.Fill(expr, values("web"))
		require.NoError(t, err)
		got, _ := blanked(t, filled)
		want, _ := blanked(t, plain)
		require.Equal(t, want, got)
		_, err = promql.Selectors(filled)
		require.NoError(t, err)
	})
}

func TestCounts(t *testing.T) {
	for expr, at := range map[string]int{
		`sum(increase(x_total{$exposed}[$window]))`:                         -1,
		`sum(increase(x_total{$exposed}[$window])) or vector(0)`:            -1,
		`sum(rate(x_total{$exposed}[$window]))`:                             4,
		`60 * sum by (code) (irate(x_total{$exposed}[$window]))`:            20,
		`histogram_quantile(0.9, sum by (le) (rate(x{$exposed}[$window])))`: 0,
		`sum(x_total{$exposed})`:                                            4,
		`sum(increase(x_total{$exposed}[$window])) + x_count{$exposed}`:     44,
		`sum(job:errors:rate5m{$exposed})`:                                  4,
		`sum(job:errors:increase5m{$exposed})`:                              -1,
		`sum(orders_in_the_last_minute{$exposed})`:                          -1,
		`count(x_total{$exposed} == 0)`:                                     -1,
		`sum(increase(x_total{$exposed}[$window]) and on (i) y_total > 9)`:  -1,
		`sum(avg_over_time(x{$exposed}[$window]))`:                          4,
		`sum(sum_over_time(x{$exposed}[$window]))`:                          -1,
		`sum(increase(a{$exposed}[$window])) / sum(increase(b[$window]))`:   0,
		`sum(increase(x_total{$exposed}[$window])) / 2`:                     -1,
		`sum(increase(x_total{$exposed}[5m])) unless sum(x_total) > 1e9`:    -1,
	} {
		err := promql.Counts(expr)
		if at < 0 {
			require.NoError(t, err, expr)
			continue
		}
		bad, ok := errors.AsType[*promql.Error](err)
		require.True(t, ok, expr)
		require.Equal(t, at, bad.Offset, expr)
		require.Contains(t, bad.Message, "does not count events, expected increase")
	}
}
