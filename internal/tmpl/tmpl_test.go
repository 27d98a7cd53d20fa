package tmpl_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/tmpl"
)

func values() tmpl.Values {
	return tmpl.ForTarget("eu-01", "10.0.0.1:80", map[string]string{"region": "eu", "odd": "{{id}}", "empty": ""}).
		With(tmpl.Unit, "proxy")
}

func TestFill(t *testing.T) {
	for _, tc := range []struct{ text, want, err string }{
		{text: "", want: ""},
		{text: "plain }} text", want: "plain }} text"},
		{text: "http://{{address}}/u/{{ unit }}", want: "http://10.0.0.1:80/u/proxy"},
		{text: "{{label.region}}{{id}}", want: "eueu-01"},
		{text: "{{label.odd}}", want: "{{id}}"}, // a value is never evaluated
		{text: "[{{label.empty}}]", want: "[]"}, // empty, but there
		{text: "{{label.tier}}", err: `target "eu-01" has no label "tier"`},
		{text: "{{release}}", err: "{{release}} is not known here"},
		{text: "{{id", err: "has {{ without }}"},
		{text: "{{}}", err: "without a plain name"},
		{text: "{{id{{address}}}}", err: "without a plain name"},
		{text: "{{{id}}}", err: "without a plain name"},
	} {
		got, err := tmpl.Fill(tc.text, values())
		if tc.err != "" {
			require.ErrorContains(t, err, tc.err, tc.text)
			require.Empty(t, got)
			continue
		}
		require.NoError(t, err, tc.text)
		require.Equal(t, tc.want, got)
	}
}

func TestFillEscapedSeesThePlace(t *testing.T) {
	got, err := tmpl.FillEscaped("a{{id}}b{{unit}}", values(), func(name, value, before string) (string, error) {
		return "<" + name + ":" + before + ">", nil
	})
	require.NoError(t, err)
	require.Equal(t, "a<id:a>b<unit:a<id:a>b>", got)

	_, err = tmpl.FillEscaped("{{id}}", values(), func(_, _, _ string) (string, error) { return "", errors.New("bad") })
	require.EqualError(t, err, "{{id}}: bad")
}

func TestCheck(t *testing.T) {
	require.NoError(t, tmpl.Check("{{id}}-{{label.x}}", tmpl.ID, tmpl.Label))
	require.ErrorContains(t, tmpl.Check("{{adress}}", tmpl.ID, tmpl.Address, tmpl.Label),
		"{{adress}} is not known here, expected one of {{id}}, {{address}}, {{label.NAME}}")
	require.Error(t, tmpl.Check("{{label.x}}", tmpl.ID))
	require.Error(t, tmpl.Check("{{label.}}", tmpl.Label))
	require.Error(t, tmpl.Check("{{label}}", tmpl.Label))
	require.Error(t, tmpl.Check("{{id", tmpl.ID))
}

// Whatever a value holds, it appears once and unchanged.
func TestValuesAreNeverEvaluated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Draw(t, "value")
		got, err := tmpl.Fill("<{{id}}>", tmpl.ForTarget(value, "", nil))
		require.NoError(t, err)
		require.Equal(t, "<"+value+">", got)
	})
}

func FuzzFill(f *testing.F) {
	f.Add("{{id}}{{label.a}}")
	f.Add("{{ {{")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := tmpl.Fill(text, values())
		if err == nil && strings.Contains(got, "{{") && !strings.Contains(text, "label.odd") {
			t.Fatalf("%q left a placeholder: %q", text, got)
		}
	})
}
