package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

// sites is a fleet of n targets: regions eu, us, ap in turn, every tenth internal.
func sites(n int) fleet.Fleet {
	var f fleet.Fleet
	for i := range n {
		tier := "paying"
		if i%10 == 0 {
			tier = "internal"
		}
		f.Targets = append(f.Targets, fleet.Target{
			ID:     fmt.Sprintf("site-%04d", i),
			Labels: map[string]string{"region": []string{"eu", "us", "ap"}[i%3], "tier": tier},
		})
	}
	return f
}

func count(n int) *int { return &n }

func percent(p float64) *spec.Reach { return &spec.Reach{Percent: p} }

func unit(stages ...spec.Stage) spec.Spec { return spec.Spec{Unit: "edge-proxy", Stages: stages} }

func usual() spec.Spec {
	return unit(
		spec.Stage{Name: "canary", Count: count(3), Where: map[string]string{"tier": "internal"}},
		spec.Stage{Name: "early", Reach: percent(10), Spread: "region"},
		spec.Stage{Name: "half", Reach: percent(50), Spread: "region"},
		spec.Stage{Name: "everyone", Reach: percent(100)},
	)
}

func TestNewCutsTheUsualStages(t *testing.T) {
	p, err := plan.New(usual(), sites(60), spec.Kinds{})
	require.NoError(t, err)
	require.Equal(t, []plan.Stage{
		{Name: "canary", From: 0, To: 3},
		{Name: "early", From: 3, To: 6},
		{Name: "half", From: 6, To: 30},
		{Name: "everyone", From: 30, To: 60},
	}, p.Stages)
	for _, t0 := range p.Cohort(0) {
		require.Equal(t, "internal", t0.Labels["tier"])
	}
	require.Equal(t, map[string]int{"eu": 1, "us": 1, "ap": 1}, byLabel(p.Cohort(1), "region"))
	require.Len(t, p.Exposed(2), 30)
	require.Equal(t, 30, p.AtRisk(2))
	require.Len(t, p.Control(2), 30)
	require.Empty(t, p.Control(3))
}

func byLabel(targets []fleet.Target, label string) map[string]int {
	sizes := map[string]int{}
	for _, t := range targets {
		sizes[t.Labels[label]]++
	}
	return sizes
}

func TestNewOtherForms(t *testing.T) {
	for name, tc := range map[string]struct {
		stages []spec.Stage
		n      int
		sizes  []int
	}{
		"one target":             {[]spec.Stage{{Name: "a", Reach: percent(100)}}, 1, []int{1}},
		"neither takes all left": {[]spec.Stage{{Name: "a", Count: count(2)}, {Name: "b"}}, 10, []int{2, 8}},
		"by label, then all": {[]spec.Stage{
			{Name: "eu", Where: map[string]string{"region": "eu"}},
			{Name: "us", Where: map[string]string{"region": "us"}},
			{Name: "all", Reach: percent(100)},
		}, 10, []int{4, 3, 3}},
		"reach as a count":         {[]spec.Stage{{Name: "a", Reach: &spec.Reach{Targets: 4}}, {Name: "b", Reach: &spec.Reach{Targets: 10}}}, 10, []int{4, 6}},
		"a last count that fits":   {[]spec.Stage{{Name: "a", Count: count(4)}, {Name: "b", Count: count(6)}}, 10, []int{4, 6}},
		"a small share is rounded": {[]spec.Stage{{Name: "a", Reach: percent(0.01)}, {Name: "b", Reach: percent(100)}}, 10, []int{1, 9}},
		"reach with where counts the whole fleet": {[]spec.Stage{
			{Name: "a", Reach: percent(20), Where: map[string]string{"region": "eu"}}, {Name: "b", Reach: percent(100)},
		}, 10, []int{2, 8}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := plan.New(unit(tc.stages...), sites(tc.n), spec.Kinds{})
			require.NoError(t, err)
			for i, size := range tc.sizes {
				require.Equal(t, size, p.Stages[i].Size(), "stage %d", i)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	all := spec.Stage{Name: "all", Reach: percent(100)}
	eu := map[string]string{"region": "eu"}
	for name, tc := range map[string]struct {
		stages []spec.Stage
		want   []string
	}{
		"too many asked for": {
			[]spec.Stage{{Name: "a", Count: count(5), Where: eu}, all},
			[]string{"stages[0].where: 5 more targets are asked for, but only 4 matching {region: eu} are left to expose (0 of 10 are exposed by earlier stages); " +
				"labels of the fleet: region (ap, eu, us), tier (internal, paying)"},
		},
		"no match": {
			[]spec.Stage{{Name: "a", Count: count(1), Where: map[string]string{"regoin": "eu"}}, all},
			[]string{`stages[0].where: no target has a label "regoin", did you mean "region"? labels of the fleet: region (ap, eu, us), tier (internal, paying)`},
		},
		"no match and no size": {
			[]spec.Stage{{Name: "a", Where: map[string]string{"region": "mars"}}, all},
			[]string{`stages[0].where: no target has region: "mars"; labels of the fleet: region (ap, eu, us), tier (internal, paying)`},
		},
		"a misspelt value": {
			[]spec.Stage{{Name: "a", Count: count(1), Where: map[string]string{"tier": "paiyng", "region": "eu"}}, all},
			[]string{`stages[0].where: no target has tier: "paiyng", did you mean "paying"? labels of the fleet`},
		},
		"more than the fleet": {
			[]spec.Stage{{Name: "a", Count: count(11)}},
			[]string{"stages[0].count: 11 more targets are asked for, but only 10 are left"},
		},
		"zero":      {[]spec.Stage{{Name: "a", Count: count(0)}, all}, []string{"stages[0].count: 0 targets, expected at least 1"}},
		"negative":  {[]spec.Stage{{Name: "a", Count: count(-1)}, all}, []string{"stages[0].count: -1 targets"}},
		"two sizes": {[]spec.Stage{{Name: "a", Count: count(1), Reach: percent(100)}}, []string{"stages[0].count: count and reach are both set"}},
		"not rising": {
			[]spec.Stage{{Name: "a", Reach: percent(50)}, {Name: "b", Reach: percent(50)}, all},
			[]string{`stages[1].reach: reach 50% is 5 of 10 targets, but 5 are exposed once stage "a" is applied, expected a reach above 5`},
		},
		"a count that passes a reach": {
			[]spec.Stage{{Name: "canary", Count: count(3)}, {Name: "early", Reach: percent(5)}, all},
			[]string{`stages[1].reach: reach 5% is 1 of 10 targets, but 3 are exposed once stage "canary" is applied`},
		},
		"reach beyond the fleet": {
			[]spec.Stage{{Name: "a", Reach: &spec.Reach{Targets: 11}}},
			[]string{"stages[0].reach: reach 11 is more than the fleet, which has 10 targets"},
		},
		"nothing left for the last": {
			[]spec.Stage{{Name: "a", Count: count(10)}, {Name: "b"}},
			[]string{"stages[1].where: no target is left to expose (10 of 10 are exposed"},
		},
		"falls short": {
			[]spec.Stage{{Name: "a", Reach: percent(90)}},
			[]string{"stages[0].reach: the last stage reaches 9 of 10 targets, expected the whole fleet: end with reach: 100%"},
		},
		"falls short by label": {
			[]spec.Stage{{Name: "a", Where: eu}},
			[]string{"stages[0].where: the last stage reaches 4 of 10"},
		},
		"spread over nothing": {
			[]spec.Stage{{Name: "a", Reach: percent(100), Spread: "rack"}},
			[]string{`stages[0].spread: no target has a label "rack", expected one of region (ap, eu, us)`},
		},
		"everything at once": {
			[]spec.Stage{{Name: "a", Count: count(0)}, {Name: "b", Count: count(3), Spread: "rack"}, {Name: "c", Reach: percent(10)}, {Name: "d", Reach: percent(90)}},
			[]string{"stages[0].count", "stages[1].spread", "stages[2].reach", "stages[3].reach"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := plan.New(unit(tc.stages...), sites(10), spec.Kinds{})
			require.Error(t, err)
			lines := strings.Split(err.Error(), "\n")
			require.Len(t, lines, len(tc.want), err.Error())
			for i, want := range tc.want {
				require.Contains(t, lines[i], want)
			}
			var planErr *plan.Error
			require.ErrorAs(t, err, &planErr)
		})
	}
}

func TestNewRefusesFleets(t *testing.T) {
	all := spec.Stage{Name: "all", Reach: percent(100)}
	_, err := plan.New(unit(all), fleet.Fleet{}, spec.Kinds{})
	require.ErrorContains(t, err, "no targets")
	_, err = plan.New(unit(), sites(3), spec.Kinds{})
	require.ErrorContains(t, err, "no stages")
	twice := sites(3)
	twice.Targets = append(twice.Targets, twice.Targets[1])
	_, err = plan.New(unit(all), twice, spec.Kinds{})
	require.ErrorContains(t, err, `target "site-0001" is in the fleet twice`)
}

// A fleet's many labels do not make an endless message.
func TestNewBoundsMessages(t *testing.T) {
	f := sites(2000)
	for i := range f.Targets {
		f.Targets[i].Labels["rack"] = fmt.Sprint(i)
	}
	_, err := plan.New(unit(spec.Stage{Name: "a", Count: count(9999)}), f, spec.Kinds{})
	require.ErrorContains(t, err, "and 1992 more")
	require.Less(t, len(err.Error()), 500)
}

func TestLongest(t *testing.T) {
	st := spec.Stage{Bake: spec.Duration(5 * time.Minute), DecideWithin: spec.Duration(time.Minute)}
	require.Equal(t, 6*time.Minute, plan.Longest(st))
}

func BenchmarkNew100k(b *testing.B) {
	f, s := sites(100_000), usual()
	for b.Loop() {
		if _, err := plan.New(s, f, spec.Kinds{}); err != nil {
			b.Fatal(err)
		}
	}
}

// Batches too small for a history are refused, with the size that would do.
func TestNewRefusesTooManyBatches(t *testing.T) {
	s := usual()
	for batch, ok := range map[int]bool{1: false, 5: false, 10: true, 500: true} {
		s.Apply.Batch = batch
		_, err := plan.New(s, sites(10_000), spec.Kinds{})
		if ok {
			require.NoError(t, err, batch)
		} else {
			require.ErrorContains(t, err, "set apply.batch to 10 or more")
		}
	}
}
