package plan_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

// A target that dies by itself takes a good release back, unless the stages tolerate as many.
func TestDeaths(t *testing.T) {
	const stages = "{name: canary, count: 10, bake: 1h}, {name: all, reach: 100%%, bake: 1h%s}"
	year := 365. * 24
	for name, tc := range map[string]struct {
		all, more string
		want      float64
	}{
		"none is tolerated": {"", "", 1 - math.Exp(-(10+1000)/year)},
		"a guard":           {"", "guard: 6h\n", 1 - math.Exp(-(10+7*1000)/year)},
		"nobody looks":      {"", "guard: 6h\nhealth: {without: [alive, traffic], checks: [{name: p, probe: {tcp: '{{address}}'}}]}\n", 0},
		"one is tolerated":  {", tolerate: {unreachable: 1}", "", 1 - math.Exp(-1010/year)*(1+1010/year)},
	} {
		if !strings.Contains(tc.more, "health:") {
			tc.more += "health: {without: [traffic], checks: [{name: p, probe: {tcp: '{{address}}'}}]}\n"
		}
		text := "unit: edge\nrelease: a\nfleet: fleet.yaml\ndriver: {http: {}}\nstages: [" + fmt.Sprintf(stages, tc.all) + "]\n" + tc.more
		doc, err := spec.Parse("f.yaml", []byte(text), catalog.New().Kinds())
		require.NoError(t, err, name)
		var f fleet.Fleet
		for i := range 1000 {
			f.Targets = append(f.Targets, fleet.Target{ID: fmt.Sprint("h", i), Address: fmt.Sprint("10.0.0.1:", 1+i)})
		}
		p, err := plan.New(doc.Spec, f, catalog.New().Kinds())
		require.NoError(t, err, name)
		require.InDelta(t, tc.want, p.Deaths(), 1e-9, name)
	}
}
