package outages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Every file parses, is called as it names itself, and grades every number that it has; what does
// harm has times of people and stands in the proof's page.
func TestAll(t *testing.T) {
	all, err := All()
	require.NoError(t, err)
	page, err := os.ReadFile("../../../docs/proof.md")
	require.NoError(t, err)
	for _, o := range all {
		t.Run(o.Name, func(t *testing.T) {
			file := filepath.Join("data", o.Name+".yaml")
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var again Outage
			doc := strictyaml.Decode(file, text, MaxBytes, nil, &again)
			for _, field := range []string{"faults", "load", "fleet", "spread", "detected", "mitigated", "over"} {
				require.Equal(t, doc.Has(field), o.Grades[field] != "", "%s has a grade", field)
			}
			for _, f := range o.Faults {
				require.True(t, f.Innocent() == !o.Harmful() || f.Kind == "source", "%s: what is the change's, and what is not, are files of their own", f.Text)
			}
			named := o.Title
			if o.Harmful() {
				require.NotEmpty(t, o.Sources)
				require.NotEmpty(t, o.Date)
				named = o.Name
			}
			has := strings.Contains(string(page), named) // not Contains, which would print the page
			require.True(t, has, "docs/proof.md lacks %q: make proof writes the page", named)
		})
	}
	require.GreaterOrEqual(t, len(all), 20)
}

// Harm that begins when nobody watches any more, or in what no check asks for, is no signal.
func TestShows(t *testing.T) {
	o, p := tinyPlan(t, tiny)
	require.True(t, o.Shows(p.Spec))
	o, p = tinyPlan(t, "name: t\ntitle: T\nchange: c\nmitigated: 1m\nover: 1m\nfaults: [check profit 3x, source away at 1m]\n")
	require.False(t, o.Shows(p.Spec))
}

// idleWorld is a world whose clock stands.
func idleWorld(o Outage, p plan.Plan) *simulate.World {
	return simulate.NewWorld(o.Model(1), p.Spec, catalog.New().Kinds(), fleet.Fleet{Targets: p.Order}, before, func() time.Time { return began })
}

// What a rollout left is mended at people's times, and what it did not leave needs nobody.
func TestAftermath(t *testing.T) {
	o, p := tinyPlan(t, tiny)
	l, mended := o.Aftermath(idleWorld(o, p), p, began)
	require.False(t, mended)
	require.True(t, l.First.IsZero())

	w := idleWorld(o, p)
	for _, x := range p.Order {
		w.Put(x, p.Spec.Release, false)
	}
	l, mended = o.Aftermath(w, p, began)
	require.True(t, mended)
	require.InDelta(t, 10*time.Minute.Seconds(), l.Over.Sub(l.First).Seconds(), 60)
}
