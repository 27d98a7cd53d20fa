package source

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// None at all is no chance where everything that is known has shown many events, over the time of
// all targets together.
func TestSilenced(t *testing.T) {
	for name, tc := range map[string]struct {
		silent time.Duration
		known  []Usual
		says   string // empty where it may be chance
	}{
		"nothing is known":                    {time.Hour, nil, ""},
		"as long as it was looked at, many":   {time.Hour, []Usual{{20, time.Hour}}, "about 20 were expected"},
		"as long, few":                        {time.Hour, []Usual{{10, time.Hour}}, ""},
		"few, for very long":                  {100 * time.Hour, []Usual{{3, time.Hour}}, "about 300 were expected"},
		"one, for long":                       {100 * time.Hour, []Usual{{1, time.Hour}}, ""},
		"few of a large control":              {time.Hour, []Usual{{500, 60 * time.Hour}}, ""},
		"many of a large control":             {time.Hour, []Usual{{700, 60 * time.Hour}}, "about 12 were expected"},
		"the least of what is known counts":   {time.Hour, []Usual{{40, time.Hour}, {1000, 10 * time.Hour}}, "about 40 were expected"},
		"none before, many of the control":    {time.Hour, []Usual{{0, time.Hour}, {1000, 10 * time.Hour}}, ""},
		"many before, and the control is new": {time.Hour, []Usual{{40, time.Hour}, {1000, 0}}, ""},
	} {
		r := Silenced("bad", tc.silent, tc.known)
		if tc.says == "" {
			require.Empty(t, r.Verdict, name)
			continue
		}
		require.NotEmpty(t, r.Verdict, name)
		require.Contains(t, r.Why, tc.says, name)
	}
}
