package prometheus

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReachAndLoosened(t *testing.T) {
	for query, want := range map[string]time.Duration{
		`a`: 0, `rate(a[5m])`: 5 * time.Minute, `rate(a[5m] offset 1h)`: 0, `max_over_time(rate(a[5m])[10m:1m])`: 15 * time.Minute,
		`max_over_time(rate(a[5m])[10m:1m] offset 1d)`: 0, `rate(a[1m]) / rate(b[2m])`: 2 * time.Minute, `)`: 0,
	} {
		require.Equal(t, want, reach(query), query)
	}
	require.Equal(t, `a{code!="",instance!=""}`, loosened(`a{code=~"5..",instance=~"x|y",kind!="z"}`))
	require.Equal(t, `a{code!="",instance!=""}`, loosened(loosened(`a{code=~"5..",instance=~"x|y"}`)))
}
