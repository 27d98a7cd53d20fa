package outages

import (
	_ "embed"

	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

//go:embed default.yaml
var defaultSpec []byte

// DefaultSpec is the text of the spec by which outages are replayed.
func DefaultSpec() []byte { return defaultSpec }

// Plan cuts the outage's fleet by the spec of that text.
func (o Outage) Plan(file string, text []byte, k spec.Kinds) (plan.Plan, error) {
	doc, err := spec.Parse(file, text, k)
	if err != nil {
		return plan.Plan{}, err
	}
	return plan.New(doc.Spec, o.Targets(), k)
}
