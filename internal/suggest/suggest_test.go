package suggest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/suggest"
)

func TestNearest(t *testing.T) {
	known := []string{"name", "bake", "count", "reach", "decideWithin", "max"}
	for _, tc := range []struct{ given, want string }{
		{"bakeTime", "bake"},
		{"bkae", "bake"},
		{"Bake", "bake"},
		{"decidewithin", "decideWithin"},
		{"decide", "decideWithin"},
		{"counts", "count"},
		{"mx", "max"},
		{"zebra", ""},
		{"", ""},
		{strings.Repeat("bake", 1000), ""},
	} {
		got, ok := suggest.Nearest(tc.given, known)
		require.Equal(t, tc.want, got, tc.given)
		require.Equal(t, tc.want != "", ok)
	}
}
