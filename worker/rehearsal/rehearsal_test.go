package rehearsal

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/fleet"
	words "github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/simulate/outages"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
)

const text = `unit: edge
release: "2"
fleet: fleet.yaml
driver: {http: {}}
stages:
  - {name: canary, count: 2, bake: 10m}
  - {name: early, reach: 25%, bake: 20m}
  - {name: half, reach: 50%, bake: 40m}
  - {name: all, reach: 100%, bake: 60m}
health:
  every: 10s
  prometheus: http://x
  checks:
    - name: errors
      bad: sum(increase(http_requests_total{code=~"5..",$exposed}[$window]))
      total: sum(increase(http_requests_total{$exposed}[$window]))
      against: control
      worse: 20%
    - name: slow
      slow: {histogram: http_request_duration_seconds, over: 250ms}
      against: control
    - name: cpu
      value: max(cpu{$exposed})
      max: 0.8
      tolerate: 2
`

func rehearse(t *testing.T, faults ...string) Result {
	return rehearseFor(t, 3*time.Hour, 1, faults...)
}

func rehearseFor(t *testing.T, limit time.Duration, seed uint64, faults ...string) Result {
	t.Helper()
	return rehearseText(t, text, sixty(), limit, seed, faults...)
}

func sixty() (f fleet.Fleet) {
	for i := range 60 {
		id := fmt.Sprintf("t%02d", i)
		f.Targets = append(f.Targets, fleet.Target{ID: id, Address: id + ":80"})
	}
	return f
}

func rehearseText(t *testing.T, text string, f fleet.Fleet, limit time.Duration, seed uint64, faults ...string) Result {
	t.Helper()
	out, err := Run(rehearsalOf(t, text, f, limit, seed, faults...), catalog.New())
	require.NoError(t, err)
	return out
}

func rehearsalOf(t *testing.T, text string, f fleet.Fleet, limit time.Duration, seed uint64, faults ...string) Rehearsal {
	t.Helper()
	doc, err := spec.Parse("rollout.yaml", []byte(text), catalog.New().Kinds())
	require.NoError(t, err)
	r := Rehearsal{Spec: doc.Spec, Fleet: f, Before: "1", Limit: limit, Approve: true, Model: simulate.Model{Seed: seed}}
	for _, text := range faults {
		fault, err := simulate.ParseFault(text)
		require.NoError(t, err)
		r.Model.Faults = append(r.Model.Faults, fault)
	}
	r.Store, err = store.Dir(t.TempDir())
	require.NoError(t, err)
	return r
}

// What a fault leads to is what it would lead to in a real rollout.
func TestRehearsal(t *testing.T) {
	for fault, want := range map[string]struct {
		phase words.Phase
		stage string
		check string
	}{
		"errors 1x":                   {words.PhasePromoted, "", ""},
		"errors 5x":                   {words.PhaseRolledBack, "canary", "errors"},
		"errors 30% from 25m":         {words.PhaseRolledBack, "early", "errors"},
		"latency 3x":                  {words.PhaseRolledBack, "canary", "slow"},
		"traffic 0%":                  {words.PhaseRolledBack, "canary", "traffic"},
		"check cpu 3x at 30m":         {words.PhaseRolledBack, "early", "cpu"},
		"crash from 1m":               {words.PhaseRolledBack, "canary", "alive"},
		"refuse":                      {words.PhaseRefused, "", ""},
		"source away at 20m for 10m":  {words.PhasePromoted, "", ""},
		"errors 5x everywhere at 10m": {words.PhasePromoted, "", ""},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			out := rehearse(t, fault)
			require.Equal(t, want.phase, out.State.Phase, out.State.Why)
			require.Equal(t, want.stage, out.State.Outcome.Stage)
			if want.check != "" {
				require.Equal(t, []string{want.check}, out.State.Outcome.Condemned)
				require.False(t, out.Ledger.First.IsZero())
				require.False(t, out.Ledger.Still && fault != "crash from 1m", "%+v", out.Ledger)
			}
		})
	}
}

// One target at a time, a stage takes longer than an activity may be silent.
func TestLongApply(t *testing.T) {
	r := rehearseText(t, strings.Replace(text, "stages:", "apply: {parallel: 1}\nstages:", 1), sixty(), 4*time.Hour, 1)
	require.Equal(t, words.PhasePromoted, r.State.Phase, r.State.Why)
}

// A target that cannot be brought back locks the unit, which is where a rehearsal ends.
func TestBricked(t *testing.T) {
	out := rehearse(t, "brick")
	require.Equal(t, words.PhaseLocked, out.State.Phase, out.State.Why)
	require.Equal(t, out.State.Since.Sub(out.Began), out.Took)
	score := out.Ledger.Score()
	require.True(t, score.Harmed)
	require.Nil(t, score.Undone)
	require.InDelta(t, 2.0/60, score.Exposed, 1e-6)
}

// The same seed makes the same rollout, to the last look; another one another.
func TestSameSeed(t *testing.T) {
	text := func(seed uint64) string {
		out := rehearseFor(t, time.Hour, seed, "errors 3x from 2m")
		data, err := json.Marshal([]any{out.State, out.Ledger})
		require.NoError(t, err)
		return string(data)
	}
	first := text(7)
	require.Equal(t, first, text(7))
	require.NotEqual(t, first, text(8))
}

// A rollout that still goes on at the limit is seen as it is then.
func TestLimit(t *testing.T) {
	out := rehearseFor(t, 45*time.Minute, 1, "source away at 25m")
	require.Equal(t, 45*time.Minute, out.Took.Round(time.Minute))
	require.Equal(t, words.PhaseHold, out.State.Phase)
	require.Nil(t, out.State.Outcome)
}

// Every example that needs nothing else than its own files promotes a good release, and whatever
// can see errors takes a bad one back.
func TestExamples(t *testing.T) {
	blind := []string{"approval", "without-metrics"} // their checks ask addresses, which is not rehearsed
	for _, name := range []string{"approval", "exec", "parts", "prometheus", "smallest", "without-metrics"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := rehearseExample(t, name, "errors 1x")
			require.Equal(t, words.PhasePromoted, good.State.Phase, good.State.Why)
			if !slices.Contains(blind, name) {
				bad := rehearseExample(t, name, "errors 50%")
				require.Equal(t, words.PhaseRolledBack, bad.State.Phase, bad.State.Why)
			}
		})
	}
}

func rehearseExample(t *testing.T, name, fault string) Result {
	t.Helper()
	data, err := os.ReadFile("../../examples/specs/" + name + ".yaml")
	require.NoError(t, err)
	targets, err := os.ReadFile("../../examples/specs/fleet.yaml")
	require.NoError(t, err)
	f, err := fleet.Parse("fleet.yaml", targets)
	require.NoError(t, err)
	return rehearseText(t, string(data), f, 24*time.Hour, 1, fault)
}

// Nothing outside of the model is touched: no command of a drill runs, no list of a fleet is asked
// for.
func TestRehearsalTouchesNothing(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	spec := strings.Replace(text, "fleet: fleet.yaml", fmt.Sprintf("fleet: {command: [touch, %q]}\ndrill: {command: [touch, %q]}", mark, mark), 1)
	out := rehearseText(t, spec, sixty(), 3*time.Hour, 1)
	require.Equal(t, words.PhasePromoted, out.State.Phase, out.State.Why)
	require.NoFileExists(t, mark)
}

// A spec that looks every second, and bakes for half a minute, is rehearsed as finely.
func TestShortBakes(t *testing.T) {
	short := strings.NewReplacer(
		"10m", "30s", "20m", "30s", "40m", "30s", "60m", "30s",
		"every: 10s", "every: 1s\n  window: 20s\n  staleAfter: 5s",
	).Replace(text)
	for fault, want := range map[string]words.Phase{
		"errors 1x": words.PhasePromoted, "errors 30%": words.PhaseRolledBack, "no traffic": words.PhaseRolledBack,
	} {
		out := rehearseText(t, short, sixty(), time.Hour, 1, fault)
		require.Equal(t, want, out.State.Phase, "%s: %s", fault, out.State.Why)
	}
}

// What a rollout took back by itself took no person, however short before its end the harm was.
func TestTakenBackByNobody(t *testing.T) {
	for _, fault := range []string{"crash", "errors 90%", "crash from 5m one in 3"} {
		o, err := outages.Parse("o.yaml", []byte("name: o\ntitle: t\nchange: c\nmitigated: 1h\nover: 2h\nfaults: ["+fault+"]\n"))
		require.NoError(t, err)
		c := catalog.New()
		p, err := o.Plan("", nil, c.Kinds())
		require.NoError(t, err)
		kept, err := store.Dir(t.TempDir())
		require.NoError(t, err)
		played, err := Play(o, outages.Gated, p, c, kept, 1)
		require.NoError(t, err)
		require.Equal(t, words.PhaseRolledBack, played.Result, played.Why)
		require.False(t, played.Person, fault)
	}
}

// Targets that have always had more errors than others, and are more frequent in one stage than in
// the next, are no harm.
func TestUnequalTargetsAreNoHarm(t *testing.T) {
	o, err := outages.Parse("unequal.yaml", []byte("name: unequal\ntitle: a good change\nchange: nothing\n"+
		"load: [{on: {hardware: old}, errors: 0.4%}, {errors: 0.1%}]\n"))
	require.NoError(t, err)
	c := catalog.New()
	p, err := o.Plan("", nil, c.Kinds())
	require.NoError(t, err)
	p.Spec.Guard = 0
	kept, err := store.Dir(t.TempDir())
	require.NoError(t, err)
	played, err := Play(o, outages.Gated, p, c, kept, 1)
	require.NoError(t, err)
	require.Equal(t, words.PhasePromoted, played.Result, played.Why)
}

// With a source that has no past, what was seen before a stage takes its place, also where no
// control is left.
func TestScrape(t *testing.T) {
	scraped := strings.NewReplacer(
		"prometheus: http://x", "scrape: {}",
		`sum(increase(http_requests_total{code=~"5..",$exposed}[$window]))`, `'http_requests_total{code=~"5.."}'`,
		"sum(increase(http_requests_total{$exposed}[$window]))", "http_requests_total", "max(cpu{$exposed})", "cpu",
	).Replace(text)
	for fault, want := range map[string]words.Phase{
		"errors 1x": words.PhasePromoted, "errors 5x": words.PhaseRolledBack, "errors 10x at 75m": words.PhaseRolledBack,
	} {
		out := rehearseText(t, scraped, sixty(), 4*time.Hour, 1, fault)
		require.Equal(t, want, out.State.Phase, "%s: %s", fault, out.State.Why)
	}
}

// Whoever looks on sees each phase when it begins, also one that is shorter than the time between
// two looks.
func TestEachPhaseIsSeen(t *testing.T) {
	var phases []words.Phase
	r := rehearsalOf(t, text, sixty(), 3*time.Hour, 1, "errors 30% from 25m")
	r.Saw = func(s words.State, at time.Time) {
		if n := len(phases); n > 0 && phases[n-1] == s.Phase {
			return
		}
		phases = append(phases, s.Phase)
		require.Less(t, at.Sub(s.Since), 2*time.Second, s.Phase)
	}
	out, err := Run(r, catalog.New())
	require.NoError(t, err)
	require.Equal(t, words.PhaseRolledBack, out.State.Phase)
	require.Equal(t, []words.Phase{
		words.PhasePlanning, words.PhasePreflight, words.PhaseObserve, words.PhaseApply, words.PhaseBake, words.PhaseGate,
		words.PhaseObserve, words.PhaseApply, words.PhaseBake, words.PhaseRollback, words.PhaseVerify, words.PhaseRolledBack,
	}, phases)
}

// A fault that begins only after the end, or where the release never comes, is named.
func TestNeverBegan(t *testing.T) {
	out := rehearse(t, "errors 30%", "crash at 20h", "source away at 1h", "errors 2x above 50%")
	require.Equal(t, words.PhaseRolledBack, out.State.Phase)
	require.Equal(t, []int{1, 2, 3}, out.NeverBegan)
	out = rehearse(t, "crash at 20h", "refuse")
	require.Equal(t, words.PhaseRefused, out.State.Phase)
	require.Equal(t, []int{0}, out.NeverBegan)
}
