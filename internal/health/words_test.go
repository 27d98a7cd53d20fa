package health

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/health/source"
)

// What a source says can neither flood nor steer a terminal.
func TestCutBoundsAndNeutralises(t *testing.T) {
	require.Equal(t, "a [31mred  b", source.Cut("a\x1b[31mred\r\nb", 60))
	require.Equal(t, "safe  txt", source.Cut("safe \u202etxt", 60))
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(10, 60).Draw(t, "n")
		got := source.Cut(rapid.String().Draw(t, "s"), n)
		require.LessOrEqual(t, len(got), n)
		require.True(t, utf8.ValidString(got))
		require.NotContains(t, got, "\x1b")
	})
}
