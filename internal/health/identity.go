package health

import (
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// CheckIdentity answers a function that says why metrics could not tell a target that comes late
// from the others, or from those that fitted before: it lacks a label of its name there, or has the
// name of another. Its addresses are spec.AddressUses' affair. It asks nobody, and is not safe for
// concurrent use.
func CheckIdentity(h spec.Health, kinds spec.Kinds, others []fleet.Target) func(fleet.Target) error {
	from := kinds.Source(h)
	labels := from != nil && from.Traits().Parts // it knows targets by a label
	taken := map[string]string{}
	each := slices.ContainsFunc(h.Checks, spec.Check.PerTarget)
	identify := func(t fleet.Target) error {
		if !labels {
			return nil
		}
		v, err := tmpl.Fill(h.Identify.Value, tmpl.ForTarget(t.ID, t.Address, t.Labels))
		if err != nil {
			return fmt.Errorf("health.identify.value: %w", err)
		}
		if other, ok := taken[v]; each && ok && other != t.ID {
			return fmt.Errorf("health.identify: appears as %s=%q, as target %s does", h.Identify.Label, source.Cut(v, 60), other)
		}
		taken[v] = t.ID
		return nil
	}
	for _, t := range others {
		_ = identify(t) // the rollout has lived with them so far
	}
	return identify
}
