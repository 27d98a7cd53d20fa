package activities

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source/scrape"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// A target that does not answer is told apart from one that must not be changed, and is never
// touched afterwards.
func TestAbsentTargetsAreLeftAlone(t *testing.T) {
	f := newFixture(t, 20)
	f.down["t003"] = 99
	f.state["t004"] = driver.State{Release: "1.0.0", Fence: fence}
	seen := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: f.all, Fence: fence})
	require.Equal(t, []string{"t003"}, seen.Previous.Absent)
	require.True(t, seen.Trouble[0].Silent)
	require.False(t, seen.Trouble[1].Silent)

	f.down["t003"] = 0
	f.state["t004"] = driver.State{Release: "1.0.0"}
	out := do[Applied](t, f, f.acts.Apply, ApplyInput{Batch: f.all, Fence: fence, Previous: seen.Previous})
	require.Equal(t, 19, out.Changed)
	back := do[Reverted](t, f, f.acts.Revert, RevertInput{Batch: f.all, Fence: fence + 1, Previous: seen.Previous})
	require.Equal(t, Reverted{Reverted: 19, Fenced: 19, To: []rollout.Back{{Release: "1.0.0", Targets: 19}}}, back)
	require.Zero(t, f.applies["t003"])
}

// A batch goes on past as many silent targets as are tolerated, and stops at one more, or at any
// target that refuses.
func TestApplyToleratesSilence(t *testing.T) {
	for _, tc := range []struct {
		down, tolerate int
		refuses        bool
		all            bool
	}{{2, 2, false, true}, {3, 2, false, false}, {0, 2, true, false}} {
		f := newFixture(t, 60)
		for i := range tc.down {
			f.down[[]string{"t001", "t002", "t003"}[i]] = 99
		}
		f.refuses["t005"] = tc.refuses
		in := ApplyInput{Batch: f.all, Fence: fence, Previous: Previous{Common: "1.0.0"}, Tolerate: tc.tolerate}
		in.Parallel = 1
		f.acts.plans[in.Plan] = withAttempts(f.plan, 1)
		out := do[Applied](t, f, f.acts.Apply, in)
		require.Equal(t, tc.all, out.Changed+len(out.Trouble) == 60, "%+v: %+v", tc, out)
		for _, trouble := range out.Trouble {
			require.Equal(t, !tc.refuses, trouble.Silent)
		}
	}
}

// What had nothing installed goes back to what the spec says.
func TestFallback(t *testing.T) {
	for _, fallback := range []spec.Fallback{{Remove: true}, {Release: "0.1.0"}} {
		f := newFixture(t, 3)
		p := f.plan
		p.Spec.Fallback = &fallback
		f.acts.plans[f.all.Plan] = p
		f.state["t001"] = driver.State{}
		seen := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: f.all, Fence: fence})
		require.Equal(t, Observed{Previous: Previous{Common: "1.0.0", Others: map[string][]string{"": {"t001"}}}}, seen)
		require.Equal(t, 3, do[Applied](t, f, f.acts.Apply, ApplyInput{Batch: f.all, Fence: fence, Previous: seen.Previous}).Changed)
		require.Equal(t, "2.0.0", f.state["t001"].Release)
		back := do[Reverted](t, f, f.acts.Revert, RevertInput{Batch: f.all, Fence: fence + 1, Previous: seen.Previous})
		require.Equal(t, 3, back.Reverted)
		require.ElementsMatch(t, []rollout.Back{{Release: "1.0.0", Targets: 2}, {Release: fallback.Release, Targets: 1}}, back.To)
		require.Equal(t, fallback.Release, f.state["t001"].Release)
		require.Equal(t, "1.0.0", f.state["t002"].Release)
	}
}

// Targets that come late are found with what they are, and brought in as a batch of their own. One
// whose answer was lost has accepted the rollout's own fence.
func TestLateTargets(t *testing.T) {
	f := newFixture(t, 20)
	f.down["t004"] = 99
	f.state["t005"] = driver.State{Release: "2.0.0", Fence: fence, Alive: true}
	f.state["t006"] = driver.State{Release: "1.0.0", Fence: fence + 1, Alive: true}
	f.state["new"] = driver.State{Release: "0.9.0", Alive: true}
	f.state["empty"] = driver.State{}
	joined := []fleet.Target{{ID: "new"}, {ID: "empty"}}
	late := do[Stragglers](t, f, f.acts.FindStragglers, StragglersInput{
		Plan: f.all.Plan, Absent: []string{"t003", "t004", "t005", "t006"}, Joined: joined, Fence: fence, Parallel: 4,
	})
	require.Equal(t, []string{"new", "t003", "t005"}, fleet.IDs(late.Ready))
	require.Len(t, late.Still, 3)
	require.Contains(t, late.Still[0].Reason, "nothing installed")
	require.Contains(t, late.Still[1].Reason, "connection refused")
	require.Contains(t, late.Still[2].Reason, "its history does not know")

	batch := Batch{Plan: f.all.Plan, From: 0, To: len(late.Ready), Parallel: 4, Stragglers: late.Ready}
	seen := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: batch, Fence: fence})
	require.Empty(t, seen.Trouble)
	require.Equal(t, 1, seen.Already)
	out := do[Applied](t, f, f.acts.Apply, ApplyInput{Batch: batch, Fence: fence, Previous: seen.Previous})
	require.Equal(t, Applied{Changed: 2}, out)
	back := do[Reverted](t, f, f.acts.Revert, RevertInput{Batch: batch, Fence: fence + 1, Previous: seen.Previous})
	require.Equal(t, Reverted{Reverted: 2, Fenced: 2, To: []rollout.Back{{Release: "0.9.0", Targets: 1}, {Release: "1.0.0", Targets: 1}}}, back)
	require.Equal(t, []string{"0.9.0", "1.0.0", "2.0.0"}, []string{f.state["new"].Release, f.state["t003"].Release, f.state["t005"].Release})
}

// A sweep is judged over everybody who runs the release, late ones once.
func TestBindingOfASweep(t *testing.T) {
	f := newFixture(t, 5)
	p := f.plan
	p.Spec.Stages[0].Tolerate = &spec.Tolerate{Unreachable: spec.Allowance{Targets: 3}}
	b := binding(p, StageRef{Absent: []string{"t001"}})
	require.Len(t, b.Exposed, 4)
	require.Equal(t, 2, b.Silent)
	b = binding(p, StageRef{Absent: []string{"t001"}, Stragglers: []fleet.Target{{ID: "t002"}, {ID: "new"}}})
	require.ElementsMatch(t, []string{"t000", "t002", "t003", "t004", "new"}, fleet.IDs(b.Exposed))
	require.Equal(t, []string{"t002", "new"}, fleet.IDs(b.Cohort))
	require.Equal(t, spec.StageSweep, b.Stage)
	require.Empty(t, b.Control)
}

// A fleet that is unhealthy already is told so before anything is changed, after some looks; one
// that does not answer at all is waited for.
func TestPreflight(t *testing.T) {
	f := newFixtureWith(t, 5, spec.Health{
		Every: spec.Duration(time.Millisecond), Without: []string{spec.CheckTraffic},
		Source: spec.Choose("scrape", scrape.Scrape{URL: "http://127.0.0.1:1/", Sample: 1}),
	})
	for name, tc := range map[string]struct {
		state driver.State
		want  string
	}{
		"well":          {driver.State{Release: "0.5", Alive: true}, "PASS"},
		"not installed": {driver.State{}, "PASS"},
		"dead":          {driver.State{Release: "1.0.0", Detail: "it crashed"}, "FAIL"},
	} {
		f.state["t003"] = tc.state
		r := do[health.Report](t, f, f.acts.Preflight, PreflightInput{Plan: f.all.Plan})
		require.Len(t, r.Results, 1, name)
		require.Equal(t, tc.want, string(r.Results[0].Verdict), "%s: %s", name, r.Results[0].Sentence)
	}
}

// Names of metrics that no target has are told before anything is changed, also beside a probe that
// passes: who asks the targets themselves says nothing of the source.
func TestPreflightWithoutNumbers(t *testing.T) {
	page := "up 1\n"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) }))
	t.Cleanup(srv.Close)
	limit := spec.Number(0.05)
	probe := spec.Check{Name: "answers", Form: spec.Choose("probe", health.Probe{HTTP: srv.URL + "/{{id}}", Timeout: spec.Duration(time.Second)})}
	ratio := spec.Check{Name: "errors", Bad: "bad_total", Total: "all_total", Max: &limit}
	for name, tc := range map[string]struct {
		checks []spec.Check
		page   string
		want   rollout.Decision
	}{
		"a misspelt name":                   {[]spec.Check{ratio}, "up 1\n", rollout.Refuse},
		"beside a probe":                    {[]spec.Check{ratio, probe}, "up 1\n", rollout.Refuse},
		"a probe alone":                     {[]spec.Check{probe}, "up 1\n", rollout.Promote},
		"a name that is there, and a probe": {[]spec.Check{ratio, probe}, "bad_total 0\nall_total 5\n", rollout.Promote},
	} {
		page = tc.page
		f := newFixtureWith(t, 2, spec.Health{
			Every: spec.Duration(time.Millisecond), Window: spec.Duration(time.Minute), StaleAfter: spec.Duration(30 * time.Second),
			Source:  spec.Choose("scrape", scrape.Scrape{URL: srv.URL + "/metrics?{{id}}", Sample: 50}),
			Without: []string{spec.CheckTraffic, spec.CheckAlive}, Checks: tc.checks,
		})
		r := do[health.Report](t, f, f.acts.Preflight, PreflightInput{Plan: f.all.Plan})
		decision, why := rollout.Admit(r, nil)
		require.Equal(t, tc.want, decision, "%s: %s", name, why)
	}
}

func withAttempts(p plan.Plan, n int) plan.Plan {
	p.Spec.Apply.Attempts = n
	return p
}

// A target that an earlier sweep brought in stays named while it is silent, and one that has moved
// is asked once, where it is now.
func TestLateTargetsAreNeverForgotten(t *testing.T) {
	f := newFixture(t, 3)
	late := do[Stragglers](t, f, f.acts.FindStragglers, StragglersInput{Plan: f.all.Plan, Absent: []string{"t001", "joiner"}, Fence: fence, Parallel: 5})
	require.Len(t, late.Ready, 1)
	require.Equal(t, []Trouble{{ID: "joiner", Reason: "joined late, and has not answered since", Silent: true}}, late.Still)

	moved := fleet.Target{ID: "t001", Address: "10.9.9.9:80"}
	late = do[Stragglers](t, f, f.acts.FindStragglers, StragglersInput{
		Plan: f.all.Plan, Absent: []string{"t001"}, Joined: []fleet.Target{moved}, Fence: fence, Parallel: 5,
	})
	require.Equal(t, []fleet.Target{moved}, late.Ready)
	require.Empty(t, late.Still)
}

// A joiner without a label that the spec asks for is left out and says why, instead of failing the
// sweep; what it lacks is found without asking it.
func TestJoinersWithoutLabelsAreLeftOut(t *testing.T) {
	tier := map[string]string{"tier": "gold"}
	joined := []fleet.Target{{ID: "bare", Address: "bare:80"}, {ID: "new", Address: "new:80", Labels: tier}}
	probe := spec.Health{Checks: []spec.Check{{Name: "up", Form: spec.Choose("probe", health.Probe{HTTP: "http://{{address}}/{{label.tier}}"})}}}
	for name, tc := range map[string]struct {
		health spec.Health
		driver spec.Driver
		says   string
	}{
		"probe":     {probe, spec.Driver{}, `does not fit health.checks[0].probe.http (http://{{address}}/{{label.tier}}): target "bare" has no label "tier"`},
		"address":   {spec.Health{}, spec.Driver{Choice: spec.Choose("http", driver.HTTP{URL: "http://{{address}}/{{label.tier}}"})}, `does not fit driver.http.url (http://{{address}}/{{label.tier}}): target "bare" has no label "tier"`},
		"arguments": {spec.Health{}, spec.Driver{Choice: spec.Choose("exec", driver.Exec{Observe: []string{"true"}, Apply: []string{"true", "{{label.tier}}"}})}, `true: argument 1: target "bare" has no label "tier"`},
	} {
		f := newFixtureWith(t, 3, tc.health)
		f.state["bare"], f.state["new"] = driver.State{Release: "1.0.0"}, driver.State{Release: "1.0.0"}
		p := f.plan
		p.Spec.Driver = tc.driver
		f.acts.plans[f.all.Plan] = p
		if tc.driver.Name == "exec" {
			d, err := catalog.New().Drivers.New(tc.driver, nil)
			require.NoError(t, err)
			f.acts.newDriver = func(spec.Spec) (driver.Driver, error) { return fakeWith{f.fakeFleet, d.(driver.OrderChecker)}, nil }
		}
		late := do[Stragglers](t, f, f.acts.FindStragglers, StragglersInput{Plan: f.all.Plan, Joined: joined, Fence: fence, Parallel: 5})
		require.Equal(t, []string{"new"}, fleet.IDs(late.Ready), name)
		require.Len(t, late.Still, 1, name)
		require.Equal(t, "bare", late.Still[0].ID)
		require.Contains(t, late.Still[0].Reason, "cannot be brought in: ", name)
		require.Contains(t, late.Still[0].Reason, tc.says, name)
		require.False(t, late.Still[0].Silent, "it was not asked")
	}
}

// fakeWith is a fake fleet that takes the orders that a real driver takes.
type fakeWith struct {
	*fakeFleet
	driver.OrderChecker
}

// A search ends in time: who was not asked by then is left out for now.
func TestSearchForLateTargetsEnds(t *testing.T) {
	f := newFixture(t, 3)
	in := StragglersInput{Plan: f.all.Plan, Absent: []string{"t000", "t001", "t002"}, Fence: fence, Parallel: 1, Within: time.Nanosecond}
	require.Zero(t, do[Stragglers](t, f, f.acts.FindStragglers, in))
	in.Within = time.Hour
	require.Len(t, do[Stragglers](t, f, f.acts.FindStragglers, in).Ready, 3)
}

// A source that wants to know who asks refuses at the first look: waiting does not help.
func TestPreflightWithoutAccess(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(srv.Close)
	f := newFixtureWith(t, 2, spec.Health{
		Every: spec.Duration(time.Hour), Source: spec.Choose("prometheus", srv.URL), Without: []string{spec.CheckTraffic, spec.CheckAlive},
		Identify: spec.Identify{Label: "instance", Value: "{{address}}"},
		Checks:   []spec.Check{{Name: "v", Value: "max(x{$exposed})", Max: new(spec.Number)}},
	})
	r := do[health.Report](t, f, f.acts.Preflight, PreflightInput{Plan: f.all.Plan, Until: time.Now().Add(time.Hour)})
	decision, why := rollout.Admit(r, nil)
	require.Equal(t, rollout.Refuse, decision)
	require.Contains(t, why, "403 Forbidden")
}
