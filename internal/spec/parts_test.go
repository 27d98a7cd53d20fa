package spec_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/spec"
)

func TestCompose(t *testing.T) {
	for _, tc := range []struct{ app, features, want string }{
		{"2.4.0", "3f1c", "app=2.4.0,features=3f1c"},
		{"2.4.0", "", "app=2.4.0,features=none"},
		{"", "", ""},
		{"none", "%6Eone", "app=%6Eone,features=%256Eone"},
		{"a,b=c", "100%", "app=a%2Cb=c,features=100%25"},
	} {
		parts := []spec.PartRelease{{Unit: "app", Release: tc.app}, {Unit: "features", Release: tc.features}}
		require.Equal(t, tc.want, spec.Compose(parts))
		got, err := spec.Decompose(tc.want)
		require.NoError(t, err)
		if tc.want != "" {
			require.Equal(t, parts, got)
		}
	}
	for _, word := range []string{"2.4.0", "app", "app=", "=2", "app=1,", "App=1", "app=%zz", "app=%61", "app=none", "app=1,,b=2", "app=%2c"} {
		_, err := spec.Decompose(word)
		require.ErrorContains(t, err, "app=2.4.0,features=none", word)
	}
}

// A word names the parts that it was made of and no others, and it is one word.
func TestComposeIsReversible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		release := rapid.OneOf(rapid.SampledFrom([]string{"", "none", "%6Eone", ",", "=", "%", "%2C"}), rapid.StringMatching(`[!-~é]{1,20}`))
		parts := make([]spec.PartRelease, rapid.IntRange(2, 10).Draw(t, "parts"))
		installed := false
		for i := range parts {
			parts[i] = spec.PartRelease{Unit: rapid.StringMatching(`[a-z0-9][a-z0-9._-]{0,5}`).Draw(t, "unit"), Release: release.Draw(t, "release")}
			installed = installed || parts[i].Release != ""
		}
		word := spec.Compose(parts)
		got, err := spec.Decompose(word)
		if err != nil || installed != (word != "") || installed && !spec.IsWord(word) {
			t.Fatalf("%q: %v", word, err)
		}
		for i := range got {
			if got[i] != parts[i] {
				t.Fatalf("%q says %v of %v", word, got[i], parts[i])
			}
		}
	})
}
