package health

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/sequential"
)

func TestRose(t *testing.T) {
	of := func(bad, total float64) sequential.Counts { return sequential.Counts{Bad: bad, Total: total} }
	for name, test := range map[string]struct {
		before, since sequential.Counts
		want          float64
	}{
		"twice":            {of(1000, 1e5), of(2000, 1e5), 1.76},
		"twice, of few":    {of(5, 500), of(10, 500), 0},
		"as before":        {of(1000, 1e5), of(1010, 1e5), 0},
		"less":             {of(1000, 1e5), of(100, 1e5), 0},
		"an incident":      {of(1000, 1e5), of(50_000, 1e5), mostDaily},
		"nothing before":   {of(0, 0), of(10, 100), 0},
		"nothing since":    {of(10, 100), of(0, 0), 0},
		"none bad before":  {of(0, 100), of(10, 100), 0},
		"more of the same": {of(1000, 1e5), of(4000, 4e5), 0},
	} {
		require.InDelta(t, test.want, rose(test.before, test.since), 0.01, name)
	}
}

// In the last stage, the same hour of the day before tells what comes with it; a stage with a
// control does not ask.
func TestTimeOfDay(t *testing.T) {
	noon := float64(looked.Add(-day).Unix())
	server := func(asked *bool) http.RoundTripper {
		return pastOf(func(query string) map[string]func(at, window float64) float64 {
			return map[string]func(at, window float64) float64{"": func(at, window float64) float64 {
				*asked = *asked || at < float64(looked.Add(-12*time.Hour).Unix())
				if !strings.Contains(query, "5..") {
					return 100 * window
				}
				late := min(window, max(0, at-noon)) // twice as many errors from noon on
				if at > noon+3600 {
					late = 0
				}
				return window + late
			}}
		})
	}
	b := promBinding(4, 4)
	b.Bake = 10 * time.Minute
	asked := false
	m, err := Open(promSpec(against()), b, Deps{Sources: sources, Forms: forms, Transport: server(&asked)})
	require.NoError(t, err)
	before, err := m.Measure(t.Context(), looked)
	require.NoError(t, err)
	require.InDelta(t, 1.76, before.Past["errors"].Daily, 0.2)

	for name, span := range map[string]source.EarlierRun{
		"then, in the bake":  {From: looked.Add(-day), To: looked.Add(-day + 5*time.Minute)},
		"then, before it":    {From: looked.Add(-day - 5*time.Minute), To: looked.Add(-day)},
		"begun long before":  {From: looked.Add(-2 * day), To: looked.Add(-day)},
		"ended the next day": {From: looked.Add(-day + 5*time.Minute), To: looked},
	} {
		b.Earlier = []source.EarlierRun{span}
		m, err = Open(promSpec(against()), b, Deps{Sources: sources, Forms: forms, Transport: server(&asked)})
		require.NoError(t, err)
		before, err = m.Measure(t.Context(), looked)
		require.NoError(t, err)
		require.Zero(t, before.Past["errors"].Daily, "a rollout ran %s: what it did is no time of day", name)
	}

	asked = false
	m, err = Open(promSpec(against()), promBinding(4, 2), Deps{Sources: sources, Forms: forms, Transport: server(&asked)})
	require.NoError(t, err)
	before, err = m.Measure(t.Context(), looked)
	require.NoError(t, err)
	require.Zero(t, before.Past["errors"].Daily)
	require.False(t, asked)
}
