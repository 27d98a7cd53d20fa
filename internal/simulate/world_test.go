package simulate

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

const text = `unit: edge
release: "2"
fleet: fleet.yaml
driver: {http: {}}
stages: [{name: all, reach: 100%, bake: 1m}]
health:
  prometheus: http://x
  checks:
    - {name: errors, bad: "sum(increase(bad{$exposed}[$window]))", total: "sum(increase(all{$exposed}[$window]))", max: 2%}
    - {name: slow, slow: {histogram: seconds, over: 250ms}, against: control}
    - {name: cpu, value: "max(cpu{$exposed})", max: 0.8}
`

const (
	badQuery = "sum(increase(bad{$exposed}[$window]))"
	allQuery = "sum(increase(all{$exposed}[$window]))"
	cpuQuery = "max(cpu{$exposed})"
)

// small is a world of ten targets, of which half are in eu, and a clock that the test moves.
type small struct {
	*World
	t     *testing.T
	fleet fleet.Fleet
	spec  spec.Spec
	at    time.Time
}

func newSmall(t *testing.T, faults ...string) *small {
	t.Helper()
	c := catalog.New()
	doc, err := spec.Parse("rollout.yaml", []byte(text), c.Kinds())
	require.NoError(t, err)
	s := &small{t: t, spec: doc.Spec, at: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	for i := range 10 {
		s.fleet.Targets = append(s.fleet.Targets, fleet.Target{ID: fmt.Sprintf("t%d", i), Labels: map[string]string{"region": []string{"eu", "us"}[i%2]}})
	}
	m := Model{Seed: 1, Order: time.Nanosecond}
	for _, text := range faults {
		f, err := ParseFault(text)
		require.NoError(t, err)
		m.Faults = append(m.Faults, f)
	}
	s.World = NewWorld(m, s.spec, c.Kinds(), s.fleet, "1", func() time.Time { return s.at })
	return s
}

func (s *small) source(from, to int) source.Source {
	s.t.Helper()
	for _, k := range s.Sources(catalog.New().Sources) {
		if k.Name == "prometheus" {
			out, err := k.Open(s.spec.Health, source.Scope{Exposed: s.fleet.Targets[from:to], Control: s.fleet.Targets[to:]}, source.Deps{})
			require.NoError(s.t, err)
			return out
		}
	}
	return nil
}

func (s *small) put(release string, back bool, from, to int) {
	s.t.Helper()
	for _, t := range s.fleet.Targets[from:to] {
		require.NoError(s.t, s.Driver().Apply(s.t.Context(), t, driver.Order{Release: release, Fence: 1, Back: back}))
	}
}

// count is what targets showed since a time.
func (s *small) count(src source.Source, query string, since time.Time) float64 {
	s.t.Helper()
	r := src.Count(s.t.Context(), query, source.Exposed, source.Window{From: since, At: s.at}, source.EmptyIsZero)
	require.Empty(s.t, r.Verdict, r.Why)
	return r.Value
}

// A fault shows on the targets that run the release, from when it says, until they run it no more.
func TestErrorsComeAndGo(t *testing.T) {
	s := newSmall(t, "errors 20% from 5m on region=eu")
	s.put("2", false, 0, 4)
	changed, others := s.source(0, 4), s.source(4, 10)
	share := func(src source.Source, since time.Time) float64 {
		return s.count(src, badQuery, since) / s.count(src, allQuery, since)
	}
	step := func() time.Time { since := s.at; s.at = s.at.Add(5 * time.Minute); return since }
	require.Less(t, share(changed, step()), 0.003)
	since := step()
	require.InDelta(t, 0.1, share(changed, since), 0.01) // two of four are in eu
	require.Less(t, share(others, since), 0.003)
	s.put("1", true, 0, 4)
	require.Less(t, share(changed, step()), 0.003)
	l := s.Ledger()
	require.InDelta(t, 2*20*300*0.199, l.Bad, 100) // a slot more
	require.InDelta(t, 10*20*900, l.Asked, 1000)
	require.InDelta(t, 0.4, l.Exposed, 1e-9)
	require.InDelta(t, 0.2, l.Harmed, 1e-9)
	score := l.Score()
	require.InDelta(t, 5*time.Minute, *score.Undone, float64(Slot))
	require.InDelta(t, 5*time.Minute, *score.Detected, float64(Slot))
}

// What was counted stays: a tally never goes back, and the past adds up to the whole.
func TestCountsAddUp(t *testing.T) {
	s := newSmall(t)
	src := s.source(0, 5)
	begin := s.at
	var tally source.Tally
	sum := 0.0
	for range 20 {
		s.at = s.at.Add(7 * time.Second)
		r := src.Increase(t.Context(), allQuery, source.Exposed, source.Window{From: begin, At: s.at}, &tally, source.EmptyIsZero)
		require.Empty(t, r.Verdict, r.Why)
		require.GreaterOrEqual(t, r.Value, 0.0)
		sum += r.Value
	}
	require.InDelta(t, s.count(src, allQuery, begin), sum, 1)
	past, r := source.HistoryOf(src).Past(t.Context(), allQuery, source.Exposed, begin, 60, time.Minute)
	require.Empty(t, r.Verdict, r.Why)
	for _, n := range past {
		require.InDelta(t, 5*20*60, n, 500)
	}
	require.Greater(t, s.count(src, totalOf(*s.spec.Health.Checks[1].Slow), begin), s.count(src, withinOf(*s.spec.Health.Checks[1].Slow), begin))
}

// A target that is down shows nothing, one that is silent takes nothing, and one that is locked out
// by a newer fence keeps what it has.
func TestTargetsAsDriverSeesThem(t *testing.T) {
	s := newSmall(t, "crash on region=eu", "refuse on region=us")
	s.put("2", false, 0, 1)
	s.at = s.at.Add(time.Minute)
	state, err := s.Driver().Observe(t.Context(), s.fleet.Targets[0], "edge")
	require.NoError(t, err)
	require.Equal(t, driver.State{Release: "2", Fence: 1, Detail: "the unit is down"}, state)
	require.ErrorIs(t, s.Driver().Apply(t.Context(), s.fleet.Targets[0], driver.Order{Release: "1"}), driver.ErrFenced)
	require.ErrorIs(t, s.Driver().Validate(t.Context(), s.fleet.Targets[1], driver.Order{Release: "2"}), driver.ErrRefused)
	require.ErrorIs(t, s.Driver().Apply(t.Context(), s.fleet.Targets[1], driver.Order{Release: "2", Fence: 2}), driver.ErrRefused)
	r := s.source(0, 2).Count(t.Context(), allQuery, source.Exposed, source.Window{From: s.at.Add(-time.Minute), At: s.at}, source.EmptyIsZero)
	require.NotEmpty(t, r.Verdict)
}

// A number moves by what a fault says, and a source that is away says nothing.
func TestNumbersAndAbsence(t *testing.T) {
	s := newSmall(t, "check cpu 3x", "source away at 10m for 5m")
	s.put("2", false, 0, 10)
	src := s.source(0, 10)
	gauge := func() source.Reading { return src.Gauge(t.Context(), cpuQuery, source.Window{From: s.began, At: s.at}) }
	require.InDelta(t, 1.2, gauge().Value, 0.15)
	s.at = s.at.Add(11 * time.Minute)
	require.NotEmpty(t, gauge().Verdict)
	s.at = s.at.Add(5 * time.Minute)
	require.Empty(t, gauge().Verdict)
	require.NotEmpty(t, src.Gauge(t.Context(), "nobody knows this", source.Window{At: s.at}).Verdict)
}

// A source that is away once many targets have the release is back after a while, and when
// everything is healed.
func TestAwayAbove(t *testing.T) {
	s := newSmall(t, "source away above 50% for 5m")
	src := s.source(0, 10)
	away := func() bool {
		return src.Gauge(t.Context(), cpuQuery, source.Window{From: s.began, At: s.at}).Verdict != ""
	}
	require.False(t, away())
	s.put("2", false, 0, 5)
	require.True(t, away())
	s.at = s.at.Add(5 * time.Minute)
	require.False(t, away())
	s = newSmall(t, "source away")
	src = s.source(0, 10)
	require.True(t, away())
	s.Heal()
	require.False(t, away())
}

// A fault that needs many targets with the release hits those without it, too, once there are so
// many.
func TestAbove(t *testing.T) {
	s := newSmall(t, "errors 50% above 50% everywhere")
	s.put("2", false, 0, 4)
	s.at = s.at.Add(time.Minute)
	require.Zero(t, s.Ledger().Bad)
	s.put("2", false, 4, 5)
	s.at = s.at.Add(time.Minute)
	require.InDelta(t, 10*20*60*0.499, s.Ledger().Bad, 600)
	s.put("1", true, 4, 5)
	s.at = s.at.Add(time.Minute)
	require.False(t, s.Ledger().Still)
}

func TestQuantile(t *testing.T) {
	require.Zero(t, Quantile([]float64{}, 0.5))
	require.InDelta(t, 3.0, Quantile([]float64{5, 1, 3, 2, 4}, 0.5), 0)
	require.InDelta(t, 5.0, Quantile([]float64{5, 1, 3, 2, 4}, 1), 0)
	require.InDelta(t, 1.0, Quantile([]float64{5, 1, 3, 2, 4}, 0), 0)
	// Of an even number the median is between the two in the middle.
	require.InDelta(t, 2.5, Quantile([]float64{4, 1, 3, 2}, 0.5), 0)
	require.Equal(t, 90*time.Second, Quantile([]time.Duration{2 * time.Minute, time.Minute}, 0.5))
	never := math.Inf(1)
	require.InDelta(t, never, Quantile([]float64{never, never}, 0.5), 0)
	require.InDelta(t, never, Quantile([]float64{1, never}, 0.5), 0)
	// Nine of ten are no more than the ninth.
	require.InDelta(t, 9.0, Quantile([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0.9), 0)
}
