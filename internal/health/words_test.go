package health

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNumbersInWords(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0%", 0.031: "3.1%", 0.5: "50%", 1: "100%", 6.75: "675%", 0.00001: "0.001%", 0.0996: "10%", 0.9997: "100%", 1e-9: "1e-07%", 123: "12,300%",
	} {
		require.Equal(t, want, percent(v))
	}
	for v, want := range map[float64]string{
		0: "0", 0.4: "0.4", 0.12345: "0.1235", 1234567: "1,234,567", -1234.5: "-1,234", 12.5: "12.5", 100: "100", 1e20: "1e+20", 0.00001: "0.00001", -0.5: "-0.5",
	} {
		require.Equal(t, want, plain(v))
	}
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 13290: "13,290", 1234567.4: "1,234,567", -1000: "-1,000", -100: "-100"} {
		require.Equal(t, want, integer(v))
	}
}

// What a source says can neither flood nor steer a terminal.
func TestCutBoundsAndNeutralises(t *testing.T) {
	require.Equal(t, "a [31mred  b", cut("a\x1b[31mred\r\nb", 60))
	require.Equal(t, "safe  txt", cut("safe \u202etxt", 60))
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(10, 60).Draw(t, "n")
		got := cut(rapid.String().Draw(t, "s"), n)
		require.LessOrEqual(t, len(got), n)
		require.True(t, utf8.ValidString(got))
		require.NotContains(t, got, "\x1b")
	})
}
