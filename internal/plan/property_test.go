package plan_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

// drawFleet is a fleet in any order, with labels on some of its targets.
func drawFleet(t *rapid.T) fleet.Fleet {
	n := rapid.IntRange(1, 80).Draw(t, "targets")
	var f fleet.Fleet
	for i := range n {
		labels := map[string]string{}
		if region := rapid.SampledFrom([]string{"", "eu", "eu", "us", "ap"}).Draw(t, "region"); region != "" {
			labels["region"] = region
		}
		f.Targets = append(f.Targets, fleet.Target{ID: fmt.Sprintf("t%d", i), Address: "a", Labels: labels})
	}
	return f
}

// drawSpec is a spec of rising reaches and small counts; it may not fit the fleet.
func drawSpec(t *rapid.T) spec.Spec {
	s := spec.Spec{Unit: rapid.SampledFrom([]string{"proxy", "rules"}).Draw(t, "unit")}
	reach := 0.0
	for i := range rapid.IntRange(0, 4).Draw(t, "stages") {
		st := spec.Stage{Name: fmt.Sprintf("s%d", i), Spread: rapid.SampledFrom([]string{"", "region"}).Draw(t, "spread")}
		switch rapid.IntRange(0, 2).Draw(t, "form") {
		case 0:
			st.Count = count(rapid.IntRange(1, 5).Draw(t, "count"))
		case 1:
			st.Where = map[string]string{"region": rapid.SampledFrom([]string{"eu", "us"}).Draw(t, "where")}
		default:
			reach += rapid.Float64Range(1, 30).Draw(t, "rise")
			st.Reach = percent(min(reach, 99))
		}
		s.Stages = append(s.Stages, st)
	}
	s.Stages = append(s.Stages, spec.Stage{Name: "all", Reach: percent(100), Spread: rapid.SampledFrom([]string{"", "region"}).Draw(t, "spread")})
	return s
}

func TestPlanProperties(t *testing.T) {
	cut := 0
	rapid.Check(t, func(t *rapid.T) {
		s, f := drawSpec(t), drawFleet(t)
		p, err := plan.New(s, f, spec.Kinds{})
		if err != nil {
			var planErr *plan.Error
			require.ErrorAs(t, err, &planErr)
			return
		}
		cut++
		require.ElementsMatch(t, f.Targets, p.Order, "the cohorts' union is the fleet, and no target is in two")
		next := 0
		for i, st := range p.Stages {
			require.Equal(t, next, st.From)
			require.Positive(t, st.Size())
			next = st.To
			want := s.Stages[i]
			switch {
			case want.Count != nil:
				require.Equal(t, *want.Count, st.Size())
			case want.Reach != nil:
				require.Equal(t, want.Reach.Of(len(f.Targets)), st.To)
			}
			for _, target := range p.Cohort(i) {
				require.True(t, target.Matches(want.Where))
			}
			if want.Spread != "" {
				requireSpread(t, s, p, i)
			}
		}
		require.Equal(t, len(f.Targets), next)

		shuffled := fleet.Fleet{Targets: rapid.Permutation(f.Targets).Draw(t, "order")}
		again, err := plan.New(s, shuffled, spec.Kinds{})
		require.NoError(t, err)
		require.Equal(t, encode(t, p), encode(t, again), "the order of the fleet file does not matter")
	})
	require.Positive(t, cut, "no drawn spec fitted its fleet")
}

// requireSpread says that every value's part of the cohort is within one of its share of the
// candidates.
func requireSpread(t *rapid.T, s spec.Spec, p plan.Plan, i int) {
	var candidates []fleet.Target
	for _, target := range p.Order[p.Stages[i].From:] {
		if target.Matches(s.Stages[i].Where) {
			candidates = append(candidates, target)
		}
	}
	got := byLabel(p.Cohort(i), s.Stages[i].Spread)
	for value, size := range byLabel(candidates, s.Stages[i].Spread) {
		share := float64(size) * float64(p.Stages[i].Size()) / float64(len(candidates))
		require.Less(t, math.Abs(float64(got[value])-share), 1.0, "value %q of stage %d", value, i)
	}
}

func encode(t require.TestingT, p plan.Plan) []byte {
	data, err := plan.Encode(p)
	require.NoError(t, err)
	return data
}

// One more target moves few others: at most one per boundary between stages, and with spread one
// per boundary and label value, since a share can change by one.
func TestOneMoreTargetMovesFew(t *testing.T) {
	for _, tc := range []struct {
		name  string
		s     spec.Spec
		moved int
	}{
		{"plain", unit(
			spec.Stage{Name: "a", Count: count(5)}, spec.Stage{Name: "b", Reach: percent(10)},
			spec.Stage{Name: "c", Reach: percent(50)}, spec.Stage{Name: "d", Reach: percent(100)}), 3},
		{"spread and where", usual(), 9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			worst := 0
			for n := 60; n < 400; n += 7 {
				f := sites(n)
				before, err := plan.New(tc.s, f, spec.Kinds{})
				require.NoError(t, err)
				more := fleet.Fleet{Targets: append(slices.Clone(f.Targets), fleet.Target{
					ID: fmt.Sprintf("new-%d", n), Labels: map[string]string{"region": "us", "tier": "internal"},
				})}
				after, err := plan.New(tc.s, more, spec.Kinds{})
				require.NoError(t, err)
				was, moved := stageOf(before), 0
				for id, stage := range stageOf(after) {
					if old, ok := was[id]; ok && old != stage {
						moved++
					}
				}
				worst = max(worst, moved)
			}
			t.Logf("at most %d moved", worst)
			require.LessOrEqual(t, worst, tc.moved)
		})
	}
}

func stageOf(p plan.Plan) map[string]int {
	stages := map[string]int{}
	for i := range p.Stages {
		for _, t := range p.Cohort(i) {
			stages[t.ID] = i
		}
	}
	return stages
}

// Two units have other canaries, so that one unlucky host is not everybody's.
func TestUnitsHaveTheirOwnOrder(t *testing.T) {
	s := unit(spec.Stage{Name: "a", Count: count(10)}, spec.Stage{Name: "b", Reach: percent(100)})
	one, err := plan.New(s, sites(200), spec.Kinds{})
	require.NoError(t, err)
	s.Unit = "other"
	two, err := plan.New(s, sites(200), spec.Kinds{})
	require.NoError(t, err)
	require.NotEqual(t, one.Cohort(0), two.Cohort(0))
}

func TestCodec(t *testing.T) {
	s := usual()
	s.Release = "1.10"
	p, err := plan.New(s, sites(60), spec.Kinds{})
	require.NoError(t, err)
	data := encode(t, p)
	got, err := plan.Decode(data)
	require.NoError(t, err)
	require.Equal(t, p, got)
	require.True(t, bytes.Equal(data, encode(t, got)))

	for name, spoil := range map[string]func(*plan.Plan){
		"stage missing":  func(p *plan.Plan) { p.Stages = p.Stages[:3] },
		"no stages":      func(p *plan.Plan) { p.Stages, p.Spec.Stages = nil, nil },
		"renamed":        func(p *plan.Plan) { p.Stages[1].Name = "x" },
		"gap":            func(p *plan.Plan) { p.Stages[1].From++ },
		"overlap":        func(p *plan.Plan) { p.Stages[1].From-- },
		"past the end":   func(p *plan.Plan) { p.Stages[3].To++ },
		"short":          func(p *plan.Plan) { p.Stages[3].To-- },
		"empty cohort":   func(p *plan.Plan) { p.Stages[1].To = p.Stages[1].From },
		"negative":       func(p *plan.Plan) { p.Stages[0].From = -1 },
		"target twice":   func(p *plan.Plan) { p.Order[1] = p.Order[0] },
		"target without": func(p *plan.Plan) { p.Order[1].ID = "" },
	} {
		bad, err := plan.Decode(data)
		require.NoError(t, err)
		spoil(&bad)
		_, err = plan.Encode(bad)
		require.ErrorContains(t, err, "encode plan: ", name)
	}
	for _, text := range []string{"", "null", "{}", "[]", `{"stages":[{"name":"a","from":0,"to":9}]}`} {
		_, err := plan.Decode([]byte(text))
		require.ErrorContains(t, err, "decode plan: ", text)
	}
}
