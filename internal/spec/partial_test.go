package spec_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/spec"
)

// However an allowance is written, something of the group is left, and it is never rounded up.
func TestAllowance(t *testing.T) {
	for _, tc := range []struct {
		text    string
		n, want int
	}{
		{"2%", 100, 2},
		{"2%", 99, 1},
		{"2%", 49, 0},
		{"50%", 2, 1},
		{"50%", 1, 0},
		{"3", 100, 3},
		{"3", 3, 2},
		{"0", 10, 0},
		{"0.1%", 1000, 1},
		{"2%", 0, 0},
	} {
		var a spec.Allowance
		require.NoError(t, a.UnmarshalText([]byte(tc.text)), tc.text)
		require.Equal(t, tc.want, a.Of(tc.n), "%s of %d", tc.text, tc.n)
		require.Equal(t, tc.text, a.String())
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.Float64Range(0, 50).Draw(t, "percent")
		n := rapid.IntRange(0, 100_000).Draw(t, "n")
		got := spec.Allowance{Percent: p}.Of(n)
		require.LessOrEqual(t, float64(got), p*float64(n)/100+1e-6)
		require.True(t, got == 0 || got < n)
	})
}

// What takes bundles only goes back to a bundle only, or has the unit removed.
func TestFallbackOfABundleTaker(t *testing.T) {
	digest := bundle.Digest([]byte("x"))
	for text, want := range map[string]string{
		"fallback: remove":                                "",
		"fallback: {release: \"" + digest + "\"}":         "",
		`fallback: {release: "1.0"}`:                      `f.yaml:1:21: fallback.release: the driver agent takes bundles: expected the digest of one, such as sha256:…, or fallback: remove`,
		"release: " + digest + "\nfallback: {release: 1}": `f.yaml:2:21: fallback.release: the driver agent takes bundles: expected the digest of one, such as sha256:…, or fallback: remove`,
	} {
		if !strings.HasPrefix(text, "release") {
			text += "\nbundle: ./features"
		}
		_, err := parse("f.yaml", []byte(text+`
unit: a
fleet: f
driver: {agent: {}}
stages: [{name: a, reach: 100%, bake: 1m}]
health: {scrape: {}, checks: [{name: e, bad: b, total: t, max: 1%}]}
`))
		if want == "" {
			require.NoError(t, err, text)
		} else {
			require.EqualError(t, err, want, text)
		}
	}
}

// What had nothing installed goes back to one thing, decided by the spec.
func TestFallback(t *testing.T) {
	for text, want := range map[string]string{
		"fallback: remove":                     "",
		"fallback: {remove: true}":             "",
		`fallback: {release: "1.0"}`:           "",
		"fallback: keep":                       `f.yaml:1:11: fallback: is "keep", expected remove, or {release: "1.0.0"} with the release to roll back to`,
		"fallback: {}":                         `f.yaml:1:11: fallback: says nothing, expected remove, or {release: "1.0.0"}`,
		"fallback: {remove: false}":            `f.yaml:1:11: fallback: says nothing, expected remove, or {release: "1.0.0"}`,
		"fallback: {remove: true, release: 1}": `f.yaml:1:35: fallback.release: cannot be combined with remove: keep one of them`,
		`fallback: {release: "-1"}`:            `f.yaml:1:21: fallback.release: "-1" is not a release, expected 1 to 128 printable characters without spaces, not beginning with '-'`,
	} {
		_, err := parse("f.yaml", []byte(text+`
unit: a
release: "2"
fleet: f
driver: {http: {}}
stages: [{name: a, reach: 100%, bake: 1m}]
health: {scrape: {}, checks: [{name: e, bad: b, total: t, max: 1%}]}
`))
		if want == "" {
			require.NoError(t, err, text)
		} else {
			require.EqualError(t, err, want, text)
		}
	}
}
