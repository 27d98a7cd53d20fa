package health

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/health/source/scrape"
	"github.com/sluicehq/sluice/internal/spec"
)

// A watch sends its newest state as a heartbeat while the next look is going on.
func TestStateIsNotTouchedByLaterLooks(t *testing.T) {
	f := newFarm(t, 4)
	each := eachOf(0.05)
	each.Name = "each"
	m := f.open(t, scrapeSpec(ratioOf(0.05), each), f.binding(2))
	_, err := m.Look(t.Context(), f.applied.Add(5*time.Second))
	require.NoError(t, err)
	state := m.State()
	before, err := json.Marshal(state)
	require.NoError(t, err)

	var wg sync.WaitGroup
	wg.Go(func() {
		for range 200 {
			_, _ = json.Marshal(state)
		}
	})
	for i := range 20 {
		f.serve("*", 10*i, 1000*i)
		_, err := m.Look(t.Context(), f.applied.Add(time.Duration(10+5*i)*time.Second))
		require.NoError(t, err)
	}
	wg.Wait()
	after, err := json.Marshal(state)
	require.NoError(t, err)
	require.JSONEq(t, string(before), string(after))
}

func TestRestoreRefusesAStateOfOtherChecks(t *testing.T) {
	f := newFarm(t, 4)
	for _, s := range []scrape.State{
		{Last: map[string][]*float64{"t0": {nil}}},
		{Parts: []scrape.Part{{Counts: [][3]float64{{1, 2}}}}},
		{Each: []scrape.EachPart{{Counts: map[string][]float64{"t0": {1}}}}},
	} {
		m := f.open(t, scrapeSpec(eachOf(0.05)), f.binding(2))
		raw, err := json.Marshal(s)
		require.NoError(t, err)
		require.ErrorContains(t, m.Restore(State{Source: raw}), "expected 2")
	}
}

// Taking an Evaluator's state at any look and going on from it with another Evaluator changes no
// verdict.
func TestRestoredMeterGoesOn(t *testing.T) {
	looks := func(restart bool) []string {
		f := newFarm(t, 6)
		h := scrapeSpec(ratioOf(0.05), spec.Check{Name: "queue", Value: "queue", Max: num(0.4), Tolerate: 2}, eachOf(0.05))
		h.Checks[2].Name = "each"
		b := f.binding(3)
		m := f.open(t, h, b)
		var said []string
		for i := range 8 {
			f.serve("*", 20*i, 200*i)
			f.extra("*", fmt.Sprintf("queue 0.%d\n", 3+i/2))
			r, err := m.Look(t.Context(), f.applied.Add(time.Duration(5*(i+1))*time.Second))
			require.NoError(t, err)
			for _, res := range r.Results {
				said = append(said, string(res.Verdict)+" "+res.Sentence)
			}
			if restart {
				data, err := json.Marshal(m.State())
				require.NoError(t, err)
				var s State
				require.NoError(t, json.Unmarshal(data, &s))
				m = f.open(t, h, b)
				require.NoError(t, m.Restore(s))
			}
		}
		return said
	}
	undisturbed := looks(false)
	require.Equal(t, undisturbed, looks(true))
	require.Contains(t, fmt.Sprint(undisturbed), "FAIL 0.6 above the limit 0.4")
}

// However many checks ask about each target, what travels with a heartbeat is bounded.
func TestStateOfManyTargetsAndChecksIsSmall(t *testing.T) {
	f := newFarm(t, 600)
	var checks []spec.Check
	for i := range 20 {
		c := eachOf(0.05)
		c.Name, c.Bad = fmt.Sprint("each", i), fmt.Sprintf(`requests_total{code=~"5..",n!="%d"}`, i)
		checks = append(checks, c)
	}
	h := quiet(scrapeSpec(checks...))
	h.Source = sampling(h, 1000)
	m := f.open(t, h, f.binding(300))
	for i := range 30 {
		f.serve("*", i, 200*i)
		_, err := m.Look(t.Context(), f.applied.Add(time.Duration(5*(i+1))*time.Second))
		require.NoError(t, err)
	}
	kept := keptPages(t, m)
	numbers := 0
	for _, values := range kept.Last {
		numbers += len(values)
	}
	for _, p := range kept.Each {
		for _, counts := range p.Counts {
			numbers += len(counts)
		}
	}
	require.LessOrEqual(t, len(kept.Each), 5+2)
	require.LessOrEqual(t, numbers, 20_000)
	require.Greater(t, numbers, 20_000/2)
	data, err := json.Marshal(m.State())
	require.NoError(t, err)
	require.Less(t, len(data), 256<<10)
}

// keptPages is what an Evaluator keeps of metrics pages.
func keptPages(t *testing.T, m *Evaluator) (k scrape.State) {
	t.Helper()
	require.NoError(t, json.Unmarshal(m.State().Source, &k))
	return k
}
