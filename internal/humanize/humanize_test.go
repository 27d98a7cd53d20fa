package humanize

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbersInWords(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0%", 0.031: "3.1%", 0.5: "50%", 1: "100%", 6.75: "675%", 0.00001: "0.001%", 0.0996: "10%", 0.9997: "100%", 1e-9: "1e-07%", 123: "12,300%",
	} {
		require.Equal(t, want, Percent(v))
	}
	for v, want := range map[float64]string{
		0: "0", 0.4: "0.4", 0.12345: "0.1235", 1234567: "1,234,567", -1234.5: "-1,234", 12.5: "12.5", 100: "100", 1e20: "1e+20", 0.00001: "0.00001", -0.5: "-0.5",
	} {
		require.Equal(t, want, Plain(v))
	}
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 13290: "13,290", 1234567.4: "1,234,567", -1000: "-1,000", -100: "-100"} {
		require.Equal(t, want, Integer(v))
	}
}
