package main

import (
	"context"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/spec"
)

// maxShared is how many rollouts that run are looked at.
const maxShared = 1000

// unshared refuses a rollout that changes a unit which a running one of another unit changes, too:
// as a part, or alone. Each would refuse the other's orders. What Temporal's index does not tell is
// said.
func (r *remote) unshared(ctx context.Context, con *console, s spec.Spec) error {
	found, err := r.list(ctx, listFilter{open: true, unasked: true, limit: maxShared})
	if err != nil {
		con.say("not known whether another rollout changes the same units: %s", err)
		return nil
	}
	ours := changedBy(s.Unit, s.Release)
	for _, l := range found.rows {
		theirs, _, _ := strings.Cut(l.Unit, ":") // without the number in a train
		if theirs == s.Unit {
			continue
		}
		for _, unit := range changedBy(theirs, l.Release) {
			if slices.Contains(ours, unit) {
				return refusedf(reasonRunning, "refused: the rollout of %s %s changes %s, too, and still runs (%s)\n  follow it: sluice watch %s",
					l.Unit, l.Release, unit, phaseWord(l.view), l.Unit)
			}
		}
	}
	return nil
}

// changedBy are the units that a rollout of a release changes: its parts or, where it has none, its
// own.
func changedBy(unit, release string) []string {
	parts, err := spec.Decompose(release)
	if err != nil || len(parts) < 2 {
		return []string{unit}
	}
	var units []string
	for _, p := range parts {
		units = append(units, p.Unit)
	}
	return units
}
