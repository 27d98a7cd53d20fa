package activities

import "go.temporal.io/sdk/activity"

// Names of activities on the wire. A history names them, so they stay as they are wherever the code
// moves.
const (
	TypePlan      = "Plan"
	TypeValidate  = "Validate"
	TypePrepare   = "Prepare"
	TypePreflight = "Preflight"
	TypeObserve   = "Observe"
	TypeBaseline  = "Baseline"
	TypeApply     = "Apply"
	// TypeWatch is the one whose heartbeats carry a StageReport.
	TypeWatch          = "Watch"
	TypeGate           = "Gate"
	TypeFindStragglers = "FindStragglers"
	TypeRelist         = "Relist"
	TypeRevert         = "Revert"
	TypeRecover        = "Recover"
	TypeNotify         = "Notify"
	TypeInherit        = "Inherit"
	TypeSurvey         = "Survey"
	TypeSettle         = "Settle"
	TypeDrill          = "Drill"
	TypeSuspects       = "Suspects"
	// Of trains.
	TypeStartRollout = "StartRollout"
	TypeCompare      = "Compare"
	TypeLookAfter    = "LookAfter"
	TypeBeforeReset  = "BeforeReset"
)

// registry is a worker, or a test environment.
type registry interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Register gives a worker the activities by their names on the wire.
func (a *Activities) Register(w registry) {
	for name, f := range a.byName() {
		w.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
}

// byName are the activities by their names on the wire.
func (a *Activities) byName() map[string]any {
	return map[string]any{
		TypePlan: a.Plan, TypeValidate: a.Validate, TypePreflight: a.Preflight, TypeObserve: a.Observe,
		TypeBaseline: a.Baseline, TypeApply: a.Apply, TypeWatch: a.Watch, TypeGate: a.Gate, TypeFindStragglers: a.FindStragglers,
		TypeRelist: a.Relist, TypeRevert: a.Revert, TypeRecover: a.Recover, TypeNotify: a.Notify,
		TypeInherit: a.Inherit, TypeSurvey: a.Survey, TypePrepare: a.Prepare, TypeSettle: a.Settle, TypeDrill: a.Drill, TypeSuspects: a.Suspects,
		TypeStartRollout: a.StartRollout, TypeCompare: a.Compare, TypeLookAfter: a.LookAfter, TypeBeforeReset: a.BeforeReset,
	}
}
