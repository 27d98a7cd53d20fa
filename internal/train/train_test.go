package train

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cutsOf cuts a fleet in random ways; same makes all cuts one.
func cutsOf(rng *rand.Rand, targets, stages int, same bool) func(Number) Cut {
	one := func() Cut {
		var c Cut
		for _, i := range rng.Perm(targets) {
			c.Order = append(c.Order, name(i))
		}
		for s := range stages {
			c.To = append(c.To, targets*(s+1)/stages)
		}
		return c
	}
	if first := one(); same {
		return func(Number) Cut { return first }
	}
	made := map[Number]Cut{}
	return func(n Number) Cut {
		if _, ok := made[n]; !ok {
			made[n] = one()
		}
		return made[n]
	}
}

// random is a model of a larger case.
func random(seed uint64, f flaw) *model {
	rng := rand.New(rand.NewPCG(seed, 1))
	targets, stages := 2+rng.IntN(5), 1+rng.IntN(3)
	targets = max(targets, stages)
	budget := map[string]int{
		"submit": 1 + rng.IntN(5), "fail": rng.IntN(3), "silent": rng.IntN(3), "late": rng.IntN(4), "terminate": rng.IntN(2), "repeat": rng.IntN(4),
		"every": 1, "hold": rng.IntN(8) / 7,
	}
	m := newModel(rng, f, targets, cutsOf(rng, targets, stages, rng.IntN(2) == 0), budget)
	m.run(400)
	return m
}

func runs(t *testing.T, otherwise int) int {
	t.Helper()
	text, ok := os.LookupEnv("SLUICE_MODEL_RUNS")
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// Whatever happens in whatever order, no rule breaks.
func TestModel(t *testing.T) {
	steps := 0
	n := runs(t, 3000)
	for seed := range n {
		m := random(uint64(seed), noFlaw)
		steps += len(m.trace)
		require.Empty(t, m.broken, "seed %d: %s", seed, m.words())
	}
	fmt.Fprintf(t.Output(), "%d random interleavings, %d steps, 0 broken rules\n", n, steps)
}

// A rule that is broken on purpose is found.
func TestModelFindsWhatIsBroken(t *testing.T) {
	found := func(t *testing.T, f flaw) {
		t.Helper()
		for seed := range uint64(20_000) {
			if m := random(seed, f); m.broken != "" {
				fmt.Fprintf(t.Output(), "found in interleaving %d: %s\n", seed+1, m.broken)
				return
			}
		}
		t.Error("nothing was found")
	}
	for _, f := range flaws {
		t.Run(string(f), func(t *testing.T) { found(t, f) })
	}
	all := rules
	t.Cleanup(func() { rules = all })
	for i, r := range all {
		t.Run("without the rule: "+r.name, func(t *testing.T) {
			rules = slices.Delete(slices.Clone(all), i, i+1)
			found(t, noFlaw)
			rules = all
		})
	}
	t.Run("without acknowledgement", func(t *testing.T) {
		was := acknowledged
		t.Cleanup(func() { acknowledged = was })
		acknowledged = func(*Rollout) bool { return true }
		found(t, noFlaw)
	})
}

func TestOne(t *testing.T) {
	text := os.Getenv("SLUICE_MODEL_SEED")
	if text == "" {
		t.Skip("SLUICE_MODEL_SEED names a run")
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	m := random(uint64(n), noFlaw)
	require.Empty(t, m.broken, m.words())
}

// A run that was reset has an old report, and a new time.
func TestReportsOfAResetAreAbove(t *testing.T) {
	now := time.UnixMilli(1000)
	before := RolloutReport{Seq: RolloutReport{}.Next(now)}
	before.Seq = before.Next(now)
	require.EqualValues(t, 1001, before.Seq, "two at once")
	require.Greater(t, RolloutReport{Seq: 1000}.Next(now.Add(time.Minute)), before.Next(now))
}

// A train that was reset knows less than it has told: what it tells then is above that, and not
// taken as acknowledged.
func TestTellsAboveWhatItHadToldBeforeAReset(t *testing.T) {
	l, n, _, err := Ledger{}.Submit(Submission{Release: "2"})
	require.NoError(t, err)
	l, commands := l.Hear(RolloutReport{Number: n, Seq: 1, Heard: 50})
	require.Len(t, commands, 1)
	require.Equal(t, n, commands[0].Tell)
	require.EqualValues(t, 52, commands[0].Standing.Version)
	require.Less(t, l.Find(n).Heard, l.Find(n).Told.Version)
}
