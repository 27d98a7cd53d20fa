package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// A source at a metadata address is not asked, however often it is tried: there is no verdict, and
// the reason is told.
func TestSourcesAreDialledWithCare(t *testing.T) {
	maximum := spec.Number(1)
	f := newFixtureWith(t, 3, spec.Health{
		Source: spec.Choose("prometheus", "http://169.254.169.254"),
		Every:  spec.Duration(time.Millisecond), Without: []string{spec.CheckTraffic, spec.CheckAlive},
		Window: spec.Duration(time.Minute), StaleAfter: spec.Duration(time.Minute), Identify: spec.Identify{Label: "instance", Value: "{{id}}"},
		Checks: []spec.Check{{Name: "load", Value: "max(load{$cohort})", Max: &maximum}},
	})
	out := do[StageReport](t, f, f.acts.Gate, GateInput{
		HealthInput: HealthInput{StageRef: StageRef{Plan: f.all.Plan}, Since: time.Now().Add(-time.Hour)}, At: time.Now(),
	})
	require.Len(t, out.Report.Results, 1)
	require.Equal(t, "NODATA", string(out.Report.Results[0].Verdict))
	require.Contains(t, out.Report.Results[0].Sentence, "169.254.169.254 are refused")
}
