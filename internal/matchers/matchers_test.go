package matchers_test

import (
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/matchers"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		`severity=critical`:             `severity="critical"`,
		` severity != "page me" `:       `severity!="page me"`,
		`service=~"edge.*"`:             `service=~"edge.*"`,
		`service!~edge-[0-9]+`:          `service!~"edge-[0-9]+"`,
		`a=`:                            `a=""`,
		`a="b\"c\\d\ne"`:                `a="b\"c\\d\ne"`,
		`a=~"\d+"`:                      `a=~"\\d+"`, // a spurious escape is itself
		`a==b`:                          `a="=b"`,
		`version="$release"`:            `version="2.0.0+\"x\\"`,
		`version=~"$release|$previous"`: `version=~"2\\.0\\.0\\+\"x\\\\|1\\.0\\.0"`,
		`price=~"5$"`:                   `price=~"5$"`,
		`price="$5"`:                    `price="$5"`,
		`unit="$unit/$stage"`:           `unit="edge/canary"`,
	} {
		m, err := matchers.Parse(text)
		require.NoError(t, err, text)
		filled, err := m.Fill(matchers.Values{Unit: "edge", Release: `2.0.0+"x\`, Previous: "1.0.0", Stage: "canary"})
		require.NoError(t, err, text)
		require.Equal(t, want, filled.String(), text)
	}
}

func TestParseSaysWhere(t *testing.T) {
	for _, tc := range []struct{ before, at, says string }{
		{"", "", "is not a matcher"},
		{"", "severity", "is not a matcher"},
		{" ", "{a=b}", "is not a matcher"},
		{"", "a.b=c", "is not a matcher"},
		{"a=b", ",c=d", `has "," in a value without quotes`},
		{`a="b`, `"c"`, "double quote inside"},
		{`a=b`, `"`, "double quote inside"},
		{`a="b`, ``, "ends inside quotes"},
		{"a=~", "(", `"(" is not a regular expression: error parsing regexp: missing closing ): ` + "`(`"},
		{"a=~", "x)|(y", "is not a regular expression"},
		{`a="b `, `$relase"`, "did you mean $release?"},
		{`a="b `, `$zzzzzzzzz"`, "unknown placeholder $zzzzzzzzz (known: $unit"},
		{"", "a=\xff", "not valid UTF-8"},
	} {
		_, err := matchers.Parse(tc.before + tc.at)
		var at *matchers.Error
		require.ErrorAs(t, err, &at, tc.before+tc.at)
		require.Contains(t, at.Message, tc.says)
		require.Equal(t, len(tc.before), at.Offset, tc.before+tc.at)
	}
}

// Whatever a release is called, a filled matcher is one matcher that means that very
// release, to others' parsers, too.
func TestFillIsSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		release := rapid.OneOf(rapid.String(), rapid.StringMatching(`[",{}\\=~|.*()\n$a]{0,12}`)).Draw(t, "release")
		release = strings.ReplaceAll(release, "\ufffd", "?") // which PromQL refuses
		op := rapid.SampledFrom([]string{"=", "!=", "=~", "!~"}).Draw(t, "op")
		m, err := matchers.Parse(`version` + op + `"$release"`)
		require.NoError(t, err)
		m, err = m.Fill(matchers.Values{Release: release})
		require.NoError(t, err)
		theirs, err := parser.NewParser(parser.Options{}).ParseMetricSelector("{x=\"1\"," + m.String() + "}")
		require.NoError(t, err, m.String())
		require.Len(t, theirs, 2)
		require.Equal(t, "version", theirs[1].Name)
		equal := op == "=" || op == "=~"
		require.Equal(t, equal, m.Matches(map[string]string{"version": release}))
		require.Equal(t, equal, theirs[1].Matches(release))
		require.Equal(t, !equal, m.Matches(map[string]string{"version": release + "x"}))
		if theirs[1].Type == labels.MatchEqual {
			require.Equal(t, release, theirs[1].Value)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{`a=b`, `a=~"x\"$release"`, `a!~`, `a="`, `a=$`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := matchers.Parse(text)
		if err != nil {
			var at *matchers.Error
			require.ErrorAs(t, err, &at)
			require.LessOrEqual(t, at.Offset, len(text))
			return
		}
		again, err := matchers.Parse(m.String())
		require.NoError(t, err, m.String())
		require.Equal(t, m.String(), again.String())
	})
}
