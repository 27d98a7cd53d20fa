package rollout

import (
	"cmp"
	"slices"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/rollout"
)

// leftover is the part of a batch that is not back yet.
type leftover struct {
	Exposure exposure `json:"exposure"`
	// Only are the targets; nil means all of the batch.
	Only []string `json:"only,omitempty"`
	// Troubles says why each did not come.
	Troubles []activities.Trouble `json:"troubles,omitempty"`
	// Lost says that nobody knows what the targets ran before.
	Lost bool `json:"lost,omitempty"`
}

// unanswered are the troubles of a batch whose activity did not end well: one for each target that
// the workflow knows by name or, where only the plan knows them, one for all.
func (l leftover) unanswered(what string, err error) []activities.Trouble {
	names := l.Only
	if l.targets() == 0 {
		return nil
	}
	if names == nil {
		names = []string{what}
	}
	out := make([]activities.Trouble, len(names))
	for i, name := range names {
		out[i] = activities.Trouble{ID: name, Reason: err.Error(), Final: true}
	}
	return out
}

// explained gives targets without a reason the one that they had before.
func explained(now, before []activities.Trouble) []activities.Trouble {
	reasons := make(map[string]string, len(before))
	for _, t := range before {
		reasons[t.ID] = t.Reason
	}
	for i, t := range now {
		now[i].Reason = cmp.Or(t.Reason, reasons[t.ID], errGivenUp.Error())
	}
	return now
}

// targets is how many targets are left of a batch.
func (l leftover) targets() int {
	if l.Only == nil {
		return l.Exposure.Count
	}
	return len(l.Only)
}

// split separates the targets that another try cannot bring back from the others.
func (l leftover) split() (final, open leftover) {
	final.Exposure, open.Exposure = l.Exposure, l.Exposure
	for _, t := range l.Troubles {
		into := &open
		if t.Final {
			into = &final
		}
		into.Troubles, into.Only = append(into.Troubles, t), append(into.Only, t.ID)
	}
	if len(open.Troubles) == 0 {
		final.Only = l.Only
	}
	return final, open
}

// named lists the targets that are left, with their reasons.
func named(left []leftover) []rollout.TargetTrouble {
	n := 0
	for _, l := range left {
		n += len(l.Troubles)
	}
	out := slices.Grow([]rollout.TargetTrouble(nil), n) // once: there may be tens of thousands, and this runs for every batch
	for _, l := range left {
		for _, t := range l.Troubles {
			out = append(out, rollout.TargetTrouble{ID: t.ID, Reason: t.Reason})
		}
	}
	return out
}

// notBack is how many targets are left.
func notBack(left []leftover) int {
	n := 0
	for _, l := range left {
		n += l.targets()
	}
	return n
}
