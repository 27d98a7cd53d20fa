package activities

// Types of activities as a history names them, for those who read one: each is the name
// of a method of Activities.
const (
	TypePlan      = "Plan"
	TypeValidate  = "Validate"
	TypePreflight = "Preflight"
	TypeObserve   = "Observe"
	TypeBaseline  = "Baseline"
	TypeApply     = "Apply"
	// TypeWatch is the one whose heartbeats carry a Judged.
	TypeWatch    = "Watch"
	TypeGate     = "Gate"
	TypeFindLate = "FindLate"
	TypeRelist   = "Relist"
	TypeRevert   = "Revert"
	TypeRecover  = "Recover"
	TypeNotify   = "Notify"
)
