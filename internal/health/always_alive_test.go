package health

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/spec"
)

func TestAlive(t *testing.T) {
	fine := driver.State{Release: "2.0.0", Alive: true}
	always := func(s driver.State, err error) func(int) (driver.State, error) {
		return func(int) (driver.State, error) { return s, err }
	}
	silent := errors.New("connection refused\x1b[31m")
	for _, tc := range []struct {
		name   string
		answer func(int) (driver.State, error)
		asked  int
		want   Verdict
		says   string
	}{
		{"fine", always(fine, nil), 1, Pass, "all 3 exposed targets work and run 2.0.0"},
		{"silent", always(driver.State{}, silent), 3, Unexercised, "1 of 3 exposed targets: t1 does not answer (connection refused [31m); silent for 0s, 10s are harm"},
		{"silent twice", func(n int) (driver.State, error) {
			if n < 3 {
				return driver.State{}, silent
			}
			return fine, nil
		}, 3, Pass, "all 3 exposed targets work and run 2.0.0"},
		{"dead", always(driver.State{Release: "2.0.0", Detail: "exit status 1"}, nil), 3, Fail, "1 of 3 exposed targets: t1 is not alive (exit status 1)"},
		{"restarting", func(n int) (driver.State, error) { return driver.State{Release: "2.0.0", Alive: n > 1}, nil }, 2, Pass, "all 3 exposed targets work and run 2.0.0"},
		{"another release", always(driver.State{Release: "1.0.0", Alive: true}, nil), 1, Fail, `1 of 3 exposed targets: t1 runs "1.0.0" instead of "2.0.0"`},
		{"nothing installed", always(driver.State{Alive: true}, nil), 1, Fail, `1 of 3 exposed targets: t1 runs "" instead of "2.0.0"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFarm(t, 6)
				f.runs("t1", tc.answer)
				f.runs("t5", always(driver.State{}, silent)) // the control is not asked
				res := result(t, f.look(t, f.open(t, scrapeSpec(ratioOf(0.05)), f.binding(3)), 5*time.Second), spec.CheckAlive)
				require.Equal(t, tc.says, res.Sentence)
				require.Equal(t, tc.want, res.Verdict)
				require.Equal(t, tc.asked, f.asked["t1"])
				require.Zero(t, f.asked["t5"])
			})
		})
	}
}

// Silence is harm when it lasts for three looks; what answers and is wrong is harm at once; while a
// target may still be booting nothing is, and nothing passes.
func TestJudgeAilments(t *testing.T) {
	gone, wrong := failure{id: "t1", why: "does not answer", silent: true}, failure{id: "t2", why: "is not alive"}
	for _, tc := range []struct {
		ailing  []failure
		booting bool
		streak  int
		lasted  time.Duration
		want    Verdict
		pending bool
	}{
		{[]failure{gone}, false, 0, 0, Unexercised, true},
		{[]failure{gone}, false, 1, 15 * time.Second, Unexercised, true},
		{[]failure{gone}, false, 2, 29 * time.Second, Fail, false},
		{[]failure{gone}, false, 1, 40 * time.Second, Fail, false}, // looks that take long
		{[]failure{gone}, false, 0, 40 * time.Second, Unexercised, true},
		{[]failure{gone}, false, 9, 9 * time.Second, Unexercised, true}, // looks in quick succession
		{[]failure{gone, wrong}, false, 0, 0, Fail, false},
		{[]failure{wrong}, false, 0, 0, Fail, false},
		{[]failure{wrong}, true, 5, time.Hour, Unexercised, false},
		{[]failure{gone}, true, 5, time.Hour, Unexercised, false},
	} {
		got := judgeFailures(Result{Check: spec.CheckAlive}, tc.ailing, aliveContext{
			asked: 9, booting: tc.booting, streak: tc.streak, lasted: tc.lasted, every: 15 * time.Second,
		})
		require.Equal(t, tc.want, got.Verdict)
		require.Equal(t, tc.pending, got.Pending)
	}
}

func TestAliveNamesFiveOfMany(t *testing.T) {
	f := newFarm(t, 12)
	f.runs("*", func(int) (driver.State, error) { return driver.State{Release: "1.0.0", Alive: true}, nil })
	res := result(t, f.look(t, f.open(t, scrapeSpec(ratioOf(0.05)), f.binding(9)), 5*time.Second), spec.CheckAlive)
	require.Contains(t, res.Sentence, "9 of 9 exposed targets")
	require.Contains(t, res.Sentence, "; and 4 more")
}

// A look asks the newest targets first, a gate all of them.
func TestAliveAsksTheCohortFirst(t *testing.T) {
	f := newFarm(t, 600)
	b := f.binding(500)
	b.Cohort = f.targets[350:500]
	m := f.open(t, scrapeSpec(ratioOf(0.05)), b)
	r := f.look(t, m, 5*time.Second)
	require.Equal(t, "all 200 asked of 500 exposed targets work and run 2.0.0", result(t, r, spec.CheckAlive).Sentence)
	for _, c := range b.Cohort {
		require.Equal(t, 1, f.asked[c.ID])
	}
	require.Len(t, f.asked, 200)
	r, err := m.LookAll(t.Context(), f.applied.Add(10*time.Second))
	require.NoError(t, err)
	require.Equal(t, "all 500 exposed targets work and run 2.0.0", result(t, r, spec.CheckAlive).Sentence)
	require.Len(t, f.asked, 500)
}

// While the stage warms up nothing passes but what is true of targets at once.
func TestWarmingUp(t *testing.T) {
	f := newFarm(t, 4)
	h := scrapeSpec(ratioOf(0.05))
	h.Warmup = seconds(60)
	m := f.open(t, h, f.binding(2))
	r := f.look(t, m, 64*time.Second)
	require.Equal(t, Unexercised, r.Verdict())
	require.Equal(t, "warming up, evidence counts from 12:01:05 UTC", result(t, r, "errors").Sentence)
	require.Equal(t, Pass, result(t, r, spec.CheckAlive).Verdict)
	require.NotContains(t, result(t, f.look(t, m, 65*time.Second), "errors").Sentence, "warming up")
}

// A look that is called off answers with its context's error and passes nothing.
func TestCancelledLook(t *testing.T) {
	f := newFarm(t, 4)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.runs("*", func(int) (driver.State, error) { return driver.State{}, ctx.Err() })
	r, err := f.open(t, scrapeSpec(ratioOf(0.05)), f.binding(2)).Look(ctx, f.applied.Add(time.Minute))
	require.ErrorIs(t, err, context.Canceled)
	require.NotEqual(t, Pass, r.Verdict())
}

// One check without data is enough for the stage not to pass.
func TestAReportPassesOnlyWhenAllDo(t *testing.T) {
	for want, results := range map[Verdict][]Verdict{
		Pass: {Pass, Pass}, Fail: {NoData, Pass, Fail}, NoData: {Pass, NoData, Stale}, Stale: {Pass, Stale}, Unexercised: {Unexercised, NoData},
	} {
		r := Report{}
		for _, v := range results {
			r.Results = append(r.Results, Result{Verdict: v})
		}
		require.Equal(t, want, r.Verdict(), results)
	}
	require.Equal(t, NoData, Report{}.Verdict())
	require.Equal(t, NoData, Report{Results: []Result{{Verdict: Pass}, {Verdict: "FINE"}}}.Verdict())
	require.True(t, Report{Results: []Result{{Verdict: Unexercised, Pending: true}}}.Pending())
	require.False(t, Report{Results: []Result{{Verdict: Unexercised, Pending: true}, {Verdict: Fail}}}.Pending())
}

func TestOpenNeedsWhatItAsks(t *testing.T) {
	f := newFarm(t, 2)
	h := scrapeSpec(ratioOf(0.05))
	_, err := Open(h, f.binding(1), Deps{Sources: sources, Forms: forms})
	require.ErrorContains(t, err, "driver")
	h.Source = spec.Choose("almanac", "http://almanac")
	_, err = Open(h, f.binding(1), Deps{Sources: sources, Forms: forms, Driver: f})
	require.ErrorContains(t, err, "exactly one source")
}

// Silence is forgiven on as many targets as the stage tolerates, by name; what answers and is wrong
// never is.
func TestToleratedSilence(t *testing.T) {
	silent := func(n int) []failure {
		var out []failure
		for i := range n {
			out = append(out, failure{id: fmt.Sprint("t", i), why: "does not answer", silent: true})
		}
		return out
	}
	wrong := failure{id: "bad", why: "is not alive"}
	for _, tc := range []struct {
		ailing []failure
		want   Verdict
		named  int
	}{
		{silent(1), Pass, 1},
		{silent(2), Pass, 2},
		{silent(3), Fail, 3},
		{append(silent(1), wrong), Fail, 0},
		{[]failure{wrong}, Fail, 0},
	} {
		got := judgeFailures(Result{Check: spec.CheckAlive}, tc.ailing, aliveContext{asked: 100, tolerated: 2, streak: 5})
		require.Equal(t, tc.want, got.Verdict, "%d ailing", len(tc.ailing))
		require.Len(t, got.Silent, tc.named)
	}
}

// A check that failed says who is silent and who was replaced, and nobody where it has failed for
// anything else: whether that is the change's doing is decided elsewhere.
func TestExcusable(t *testing.T) {
	silent, replaced, other := failure{id: "a", silent: true}, failure{id: "b", forgot: true}, failure{id: "c"}
	for name, tc := range map[string]struct {
		ailing           []failure
		fenced           bool
		silent, replaced []string
	}{
		"silence":                {[]failure{silent}, false, []string{"a"}, nil},
		"a replaced host":        {[]failure{replaced}, true, nil, []string{"b"}},
		"both":                   {[]failure{replaced, silent}, true, []string{"a"}, []string{"b"}},
		"no fences are kept":     {[]failure{replaced, silent}, false, nil, nil},
		"something else as well": {[]failure{replaced, silent, other}, true, nil, nil},
	} {
		got := judgeFailures(Result{}, tc.ailing, aliveContext{asked: 9, fenced: tc.fenced, streak: 9, lasted: time.Hour, every: time.Second})
		require.Equal(t, Fail, got.Verdict, name)
		require.Equal(t, tc.silent, got.Silent, name)
		require.Equal(t, tc.replaced, got.Replaced, name)
	}
}

// A host that was replaced has forgotten the rollout's fence; one that keeps it was changed.
func TestAliveKnowsAReplacedHost(t *testing.T) {
	for name, tc := range map[string]struct {
		kept, of1 int64
		want      []string
	}{
		"replaced":              {20, 0, []string{"t1"}},
		"replaced, with a past": {20, 12, []string{"t1"}},
		"it went back itself":   {20, 20, nil},
		"nobody keeps fences":   {0, 0, nil},
	} {
		f := newFarm(t, 6)
		f.runs("*", func(int) (driver.State, error) {
			return driver.State{Release: "2.0.0", Alive: true, Fence: tc.kept}, nil
		})
		f.runs("t1", func(int) (driver.State, error) {
			return driver.State{Release: "1.0.0", Alive: true, Fence: tc.of1}, nil
		})
		b := f.binding(3)
		b.Fence = 20
		res := result(t, f.look(t, f.open(t, scrapeSpec(ratioOf(0.05)), b), 5*time.Second), spec.CheckAlive)
		require.Equal(t, Fail, res.Verdict, name)
		require.Equal(t, tc.want, res.Replaced, name)
	}
}
