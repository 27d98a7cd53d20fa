package rollout

// Phase is where a rollout is in its life.
type Phase string

// The phases of a rollout. The last six are also the results of an Outcome.
const (
	PhasePlanning  Phase = "planning"
	PhasePrepare   Phase = "preparing"
	PhasePreflight Phase = "checking-first"
	PhaseApproval  Phase = "waiting-for-approval"
	// PhaseTurn waits for older rollouts of the train.
	PhaseTurn    Phase = "waiting-for-turn"
	PhaseObserve Phase = "observing"
	PhaseApply   Phase = "applying"
	PhaseDrill   Phase = "drilling"
	PhaseBake    Phase = "baking"
	PhaseGate    Phase = "deciding"
	// PhaseGuard is after the last stage of a release that is watched on.
	PhaseGuard Phase = "guarding"
	// PhaseSettle is after the last gate: nothing takes the release back any more.
	PhaseSettle   Phase = "settling"
	PhaseHold     Phase = "holding"
	PhaseRollback Phase = "rolling-back"
	PhaseVerify   Phase = "verifying-rollback"
	// PhaseLocked is after a rollback that left targets behind: the unit stays locked until they
	// are back or a person gives up.
	PhaseLocked Phase = "locked"

	PhasePromoted   Phase = "promoted"
	PhaseRolledBack Phase = "rolled-back"
	PhaseAborted    Phase = "aborted"
	PhaseIncomplete Phase = "incomplete"
	PhaseRefused    Phase = "refused"
	PhaseUndone     Phase = "undone"
	// Of a rollout in a train: overtaken by a younger one, or taken back with an older one.
	PhaseSuperseded Phase = "superseded"
	PhaseWithdrawn  Phase = "withdrawn"
)

// Turn begins the Why of a rollout in PhaseTurn; what it waits for follows.
const Turn = "waits for its turn in the train: "

// PhaseIndexed is how the index calls every phase of a rollout that runs and waits for nobody.
const PhaseIndexed Phase = "running"

// OpenPhases are those under which the index has rollouts that run.
func OpenPhases() []Phase {
	return []Phase{PhaseIndexed, PhaseApproval, PhaseTurn, PhaseHold, PhaseGuard, PhaseRollback, PhaseLocked}
}

// Indexed is the phase under which Temporal's index has a rollout in phase p. The index is told
// only of changes that are worth an event.
func (p Phase) Indexed() Phase {
	switch p {
	case PhasePlanning, PhasePrepare, PhasePreflight, PhaseObserve, PhaseApply, PhaseDrill, PhaseBake, PhaseGate, PhaseSettle:
		return PhaseIndexed
	case PhaseVerify:
		return PhaseRollback
	}
	return p
}

// GoesBack says that a rollout in phase p is taken back, or has ended without a promotion.
func (p Phase) GoesBack() bool {
	switch p {
	case PhaseRollback, PhaseVerify, PhaseLocked, PhaseRolledBack, PhaseAborted, PhaseIncomplete, PhaseRefused, PhaseUndone, PhaseWithdrawn:
		return true
	}
	return false
}
