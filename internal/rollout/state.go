// Package rollout has the words of a rollout: its state, its phases, what a gate decides, and the
// signals that steer it. All of it is pure: the workflow of the same name does the work, and
// whoever shows a rollout needs this package only.
package rollout

import (
	"time"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/spec"
)

// State is the answer of the status query: the rollout as it is known now.
type State struct {
	Unit    string `json:"unit"`
	Release string `json:"release"`
	// Version is what people call the release, where that is a bundle; may be empty.
	Version string `json:"version,omitempty"`
	By      string `json:"by"`
	// Plan is the plan's digest; empty until planned.
	Plan string `json:"plan,omitempty"`
	// Number is the rollout's in the train of its unit; 0 for one that has the unit for itself.
	Number int64 `json:"number,omitempty"`
	// Undoes is the id of the run that this one takes back on purpose; empty for a rollout.
	Undoes string `json:"undoes,omitempty"`
	// Fence is the number that goes with every apply.
	Fence     int64     `json:"fence"`
	StartedAt time.Time `json:"startedAt"`
	Phase     Phase     `json:"phase"`
	// Since is when the phase began; zero in states of v0.1.0.
	Since time.Time `json:"since,omitzero"`
	// Every is the time between two looks at the checks: numbers that are older than two are old.
	Every spec.Duration `json:"every,omitempty"`
	// Now is when the state was asked for, by the Temporal server's clock as the worker knows it;
	// zero in results and in answers of v0.1.0.
	Now time.Time `json:"now,omitzero"`
	// Why says in words what the rollout waits for or does.
	Why string `json:"why"`
	// Paused is set while promotion is paused.
	Paused *Control `json:"paused,omitempty"`
	// Aborted is who asked for the way back; nil while nobody did.
	Aborted *Control `json:"aborted,omitempty"`
	// Promotion is a promote that was taken and that no gate has used yet.
	Promotion *Control `json:"promotion,omitempty"`
	// Settled is who has ended the guard before its time; nil while nobody has.
	Settled *Control `json:"settled,omitempty"`
	// RetryRollback is a retry of an incomplete rollback that has not begun yet.
	RetryRollback *Control `json:"retryRollback,omitempty"`
	// GaveUp is who has ended the way back as it is; nil while nobody has.
	GaveUp *Control `json:"gaveUp,omitempty"`
	// NotReverted names what is not known to be back while the rollout goes back, as an Outcome
	// does in the end, as it was after the newest try. NotBack is how many targets.
	NotReverted []TargetTrouble `json:"notReverted,omitempty"`
	NotBack     int             `json:"notBack,omitempty"`
	// Stage is the index of the current stage.
	Stage  int          `json:"stage"`
	Stages []StageState `json:"stages"`
	// Controls are the last signals received, oldest first, at most MaxControls.
	Controls []Control `json:"controls,omitempty"`
	// Received are the signals with an id that were received lately, as many as remember keeps.
	// Nobody is shown them.
	Received []string `json:"received,omitempty"`
	// Lenient takes signals as v0.1.0 did, for a run that began then.
	Lenient bool `json:"-"`
	// Targets is the size of the fleet; Exposed how many targets run the release, or may: those
	// found on it, once their stage has come, included.
	Targets int `json:"targets"`
	Exposed int `json:"exposed"`
	// TakenOver says which earlier runs had left targets behind that were taken back before this
	// rollout began; empty if none had.
	TakenOver string `json:"takenOver,omitempty"`
	// Preflight is the decision before the first stage; nil until then.
	Preflight *Gate `json:"preflight,omitempty"`
	// Prepared is how many targets have the release ready beside what they run; 0 where the driver
	// does not prepare.
	Prepared int `json:"prepared,omitempty"`
	// Unreached are targets that are left out for now, since they do not answer and their stage
	// tolerates that, as many as a payload holds. LeftOut is how many there are.
	Unreached []TargetTrouble `json:"unreached,omitempty"`
	LeftOut   int             `json:"leftOut,omitempty"`
	// Outcome is set once the rollout has ended, or is locked.
	Outcome *Outcome `json:"outcome,omitempty"`
}

// Enter notes what the rollout does from now on, and why.
func (s *State) Enter(p Phase, why string, now time.Time) {
	if p != s.Phase || s.Since.IsZero() {
		s.Since = now
	}
	s.Phase, s.Why = p, why
}

// Shown are the stages that a page shows one by one, from the first index up to, and without, the
// second: all, or where there are many those around the current one.
func (s State) Shown() (from, to int) {
	const many, before, after = 16, 3, 6
	if len(s.Stages) <= many {
		return 0, len(s.Stages)
	}
	from = max(0, s.Stage-before)
	to = min(len(s.Stages), s.Stage+1+after)
	if from == 1 { // a line that says so is no shorter than the stage
		from = 0
	}
	if to == len(s.Stages)-1 {
		to = len(s.Stages)
	}
	return from, to
}

// Awaited is the index of the stage that waits for approval; -1 if none does.
func (s State) Awaited() int {
	if s.Phase != PhaseApproval {
		return -1
	}
	return approvable(s, "")
}

// StageName is the name of the current stage; empty before the rollout is planned.
func (s State) StageName() string {
	if s.Stage >= len(s.Stages) {
		return ""
	}
	return s.Stages[s.Stage].Name
}

// Begun says that the current stage has begun: what is refused before, and an undo, has no stage.
func (s State) Begun() bool {
	return s.Stage < len(s.Stages) && !s.Stages[s.Stage].StartedAt.IsZero()
}

// Left names what is not known to be back, and how many targets that are: so far while the rollout
// goes back, and in the end.
func (s State) Left() ([]TargetTrouble, int) {
	if s.Outcome != nil {
		return s.Outcome.NotReverted, s.Outcome.NotBack
	}
	return s.NotReverted, s.NotBack
}

// StageState is one stage, planned and actual.
type StageState struct {
	Name string `json:"name"`
	// Cohort is how many targets the stage newly exposes, Reach how many are exposed after it.
	Cohort int           `json:"cohort"`
	Reach  int           `json:"reach"`
	Bake   spec.Duration `json:"bake"`
	// Approval is spec.ApprovalRequired for a stage that a person must approve, and ApprovedBy who
	// did.
	Approval   string   `json:"approval,omitempty"`
	ApprovedBy *Control `json:"approvedBy,omitempty"`
	// ApproveBy is until when the stage waits for that; zero while it does not, or has no deadline.
	ApproveBy time.Time `json:"approveBy,omitzero"`
	// Undecided is spec.UndecidedWait where a gate without a verdict asks a person in the end, and
	// does not go back.
	Undecided string `json:"undecided,omitempty"`
	// Changed is how many targets of the cohort are known to have been put on the release by this
	// rollout, Already how many were found on it.
	Changed int `json:"changed"`
	Already int `json:"already"`
	// Absent is how many targets of the cohort did not answer and were left out; Gone of them had
	// left the fleet. Replaced is how many hosts were replaced during the bake.
	Absent   int `json:"absent,omitempty"`
	Gone     int `json:"gone,omitempty"`
	Replaced int `json:"replaced,omitempty"`
	// Reached is how many targets of the fleet were on the release when the stage had passed, and
	// LeftOut how many of those that it and the stages before were to reach were left out then.
	// Both are zero until it has.
	Reached int `json:"reached,omitempty"`
	LeftOut int `json:"leftOut,omitempty"`
	// Watched is how much of the bake was watched, as far as the workflow has heard. It hears of a
	// watch when that ends.
	Watched spec.Duration `json:"watched,omitempty"`
	// Times are zero until they happen. BakeEnds moves when a pause ends, and when the bake goes on
	// for what nobody watched. MeasuredAt is when the stage's targets had been read and measured,
	// and applying began; zero in states of v0.1.0.
	StartedAt  time.Time `json:"startedAt,omitzero"`
	MeasuredAt time.Time `json:"measuredAt,omitzero"`
	AppliedAt  time.Time `json:"appliedAt,omitzero"`
	BakeEnds   time.Time `json:"bakeEnds,omitzero"`
	DoneAt     time.Time `json:"doneAt,omitzero"`
	// Gates are the decisions at the end of the bake, oldest first, at most MaxGates.
	Gates []Gate `json:"gates,omitempty"`
}

// WatchedWord says how much of the bake was watched, as far as is known, such as "40s of 2m
// watched".
func (s StageState) WatchedWord() string {
	return s.Watched.String() + " of " + s.Bake.String() + " watched"
}

// Decision is what a gate decided.
type Decision string

// The decisions of a gate.
const (
	Promote  Decision = "promote"
	Hold     Decision = "hold"
	RollBack Decision = "roll-back"
	// Refuse is only of the look before the first stage.
	Refuse Decision = "refuse"
)

// Gate is one decision with its evidence.
type Gate struct {
	Decision Decision  `json:"decision"`
	Why      string    `json:"why"`
	At       time.Time `json:"at"`
	// Override is set when a person and not the evidence decided.
	Override *Control `json:"override,omitempty"`
	// Report is the evidence, from the gate or from the watch.
	Report health.Report `json:"report"`
}

// QueryStatus is the name of the query that a rollout answers with its State.
const QueryStatus = "status"
