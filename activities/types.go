package activities

import (
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/train"
)

// PlanInput is a submission: a complete spec and the fleet's snapshot.
type PlanInput struct {
	Spec spec.Spec `json:"spec"`
	// FleetDigest names the snapshot; it is empty when the worker lists the fleet.
	FleetDigest string `json:"fleetDigest"`
	// FleetData is the snapshot, or empty when it lies in the store.
	FleetData []byte `json:"fleetData,omitempty"`
}

// Planned is a plan's summary: all that a workflow needs of it.
type Planned struct {
	Digest  string       `json:"digest"`
	Targets int          `json:"targets"`
	Stages  []plan.Stage `json:"stages"`
	// Prepares says that the driver readies the release on every target before the first stage, and
	// Settles that it tells them in the end that it is good.
	Prepares bool `json:"prepares,omitempty"`
	Settles  bool `json:"settles,omitempty"`
	// FleetDigest names the snapshot of a fleet that the worker has listed, and FleetData is that
	// snapshot, unless it is too large. A workflow has no use for them: they are in its history for
	// a worker whose store is lost.
	FleetDigest string `json:"fleetDigest,omitempty"`
	FleetData   []byte `json:"fleetData,omitempty"`
	// StoreTrouble says why the store does not have the plan: it is cut again from the history,
	// then.
	StoreTrouble string `json:"storeTrouble,omitempty"`
}

// Batch is a run of a plan's targets, Order[From:To], or of Stragglers where there are any.
type Batch struct {
	Plan string `json:"plan"`
	From int    `json:"from"`
	To   int    `json:"to"`
	// Parallel is how many targets are worked on at once.
	Parallel int `json:"parallel"`
	// Stragglers are the targets of a sweep, in place of the plan's. They are in the history and
	// not only in the store, so that the way back finds them.
	Stragglers []fleet.Target `json:"stragglers,omitempty"`
}

// targets are those that the batch means.
func (b Batch) targets(p plan.Plan) []fleet.Target {
	if b.Stragglers != nil {
		return b.Stragglers[b.From:b.To]
	}
	return p.Order[b.From:b.To]
}

// sameTargets says whether two batches of a plan mean the same targets.
func (b Batch) sameTargets(other Batch) bool {
	same := func(x, y fleet.Target) bool { return x.ID == y.ID }
	return b.From == other.From && b.To == other.To && slices.EqualFunc(b.Stragglers, other.Stragglers, same)
}

// Trouble names a target and what went wrong with it.
type Trouble struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
	// Final is set when trying again would be in vain.
	Final bool `json:"final,omitempty"`
	// Silent is set when the target did not answer, or not so that it helps: it may be tolerated.
	Silent bool `json:"silent,omitempty"`
	// Refused is set when the target has refused the order, and so runs what it ran.
	Refused bool `json:"refused,omitempty"`
}

// Previous is what the targets of a batch ran before: Common, but for those listed by release in
// Others. An empty release is that nothing was installed.
type Previous struct {
	Common string              `json:"common"`
	Others map[string][]string `json:"others,omitempty"`
	// Absent are targets that did not answer. Nobody knows what they run, and they are not touched.
	Absent []string `json:"absent,omitempty"`
	// Fence is the newest that they had accepted, but for those listed by fence in Fences. A
	// train's only.
	Fence  int64              `json:"fence,omitempty"`
	Fences map[int64][]string `json:"fences,omitempty"`
}

// Touched is a batch with targets that a rollout has changed, or may have, and how it is taken
// back.
type Touched struct {
	Batch
	Stage    int      `json:"stage"`
	Previous Previous `json:"previous"`
	Count    int      `json:"count"` // how many targets may have been changed
	// Only are those targets where they are not all of the batch; nil means all.
	Only []string `json:"only,omitempty"`
	// Back is the fence of the way back of a batch that an earlier run has touched; zero is that of
	// the rollout itself.
	Back int64 `json:"back,omitempty"`
}

// Observed is what was found on a batch before anything was applied.
type Observed struct {
	Previous Previous `json:"previous"`
	// Already is how many targets run the rollout's release already.
	Already int `json:"already"`
	// Trouble names targets that cannot be changed safely.
	Trouble []Trouble `json:"trouble,omitempty"`
}

// ObserveInput asks what a batch runs now.
type ObserveInput struct {
	Batch
	// Fence is the rollout's: a target that has seen a newer one has another writer.
	Fence int64 `json:"fence"`
	// Train asks which fences they have accepted, too.
	Train bool `json:"train,omitempty"`
}

// ApplyInput asks to put the plan's release on a batch.
type ApplyInput struct {
	Batch
	Fence int64 `json:"fence"`
	// Previous tells which targets run the release already: they are skipped.
	Previous Previous `json:"previous"`
	// Tolerate is how many targets may stay silent; one more stops the batch.
	Tolerate int `json:"tolerate,omitempty"`
	// Out are targets that were left out since they were observed: they are skipped.
	Out []string `json:"out,omitempty"`
}

// Applied is what came of an ApplyInput. Targets that are in neither count were not tried, since
// one before them failed.
type Applied struct {
	Changed int       `json:"changed"`
	Trouble []Trouble `json:"trouble,omitempty"`
}

// RevertInput asks to put a batch back.
type RevertInput struct {
	Batch
	Fence    int64    `json:"fence"`
	Previous Previous `json:"previous"`
	// Only limits the order to these targets; nil means all of the batch.
	Only []string `json:"only,omitempty"`
	// Deadline is when targets that cannot be reached are given up. Each target is tried at least
	// once, whatever the time.
	Deadline time.Time `json:"deadline"`
	// NameOnly asks only which targets would be taken back.
	NameOnly bool `json:"nameOnly,omitempty"`
	// GiveUp is from when on an attempt that cannot even begin, such as for a secret that is gone,
	// is the last; zero is never.
	GiveUp time.Time `json:"giveUp,omitzero"`
	// Inherited says that an earlier run has touched the batch: a target that does not run its
	// release any more was put right since.
	Inherited bool `json:"inherited,omitempty"`
	// Train says that an older rollout of the unit is under way, or was condemned. Forward is the
	// fence of the rollout's applies, Younger are releases of younger ones, which may run in place
	// of its own, and Condemned those that it puts back nowhere where they were put by an order
	// with the fence Since or a later one: whoever did so takes it back.
	Train     bool     `json:"train,omitempty"`
	Forward   int64    `json:"forward,omitempty"`
	Younger   []string `json:"younger,omitempty"`
	Condemned []string `json:"condemned,omitempty"`
	Since     int64    `json:"since,omitempty"`
}

// Reverted is what came of a RevertInput: Reverted targets were seen to run their previous release;
// the others are named.
type Reverted struct {
	Reverted int       `json:"reverted"`
	Trouble  []Trouble `json:"trouble,omitempty"`
	// Fenced is how many of Reverted were seen to keep the order's fence, in all that they run: no
	// older order changes them any more.
	Fenced int `json:"fenced,omitempty"`
	// Older is how many targets an older rollout puts back, or has.
	Older int `json:"older,omitempty"`
	// To counts the reverted targets by the release that they went back to. A target that somebody
	// else has put on another one is not among them.
	To []rollout.Back `json:"to,omitempty"`
}

// StageRef names a stage of a plan.
type StageRef struct {
	Plan  string `json:"plan"`
	Stage int    `json:"stage"`
	// Absent are exposed targets that are left out: they did not answer.
	Absent []string `json:"absent,omitempty"`
	// Stragglers are the targets of a sweep, which comes after the plan's last stage.
	Stragglers []fleet.Target `json:"stragglers,omitempty"`
	// Taken is what younger rollouts may have taken of the exposed targets, and Ahead how far the
	// next older one had come: the control is within that. Both are a train's; nil otherwise.
	Taken []train.Progress `json:"taken,omitempty"`
	Ahead *train.Progress  `json:"ahead,omitempty"`
}

// BaselineInput asks what a stage's targets show before it is applied.
type BaselineInput struct {
	StageRef
	At time.Time `json:"at"`
	// Earlier are when other rollouts of the unit ran.
	Earlier []source.EarlierRun `json:"earlier,omitempty"`
	// Began is when the rollout began with its first stage; zero before that.
	Began time.Time `json:"began,omitzero"`
}

// HealthInput is what judging a stage needs.
type HealthInput struct {
	StageRef
	// Previous is the release that most of the stage's targets ran before.
	Previous string `json:"previous"`
	// Since is when the stage was applied.
	Since time.Time `json:"since"`
	// Before was measured before the stage.
	Before health.Baseline `json:"before"`
	// State is what an earlier watch of this stage had seen; may be zero.
	State health.State `json:"state"`
	// Earlier are when other rollouts of the unit ran.
	Earlier []source.EarlierRun `json:"earlier,omitempty"`
	// Began is when the rollout began with its first stage; zero before that.
	Began time.Time `json:"began,omitzero"`
	// Ran is how long targets of earlier stages had run the release by Since, added up over them.
	Ran time.Duration `json:"ran,omitempty"`
	// Fence is the rollout's, which exposed targets keep that keep one; zero asks nothing.
	Fence int64 `json:"fence,omitempty"`
	// Every is the time between two looks, where it is not the spec's.
	Every time.Duration `json:"every,omitempty"`
	// Recovering asks whether targets that were taken back are well again.
	Recovering bool `json:"recovering,omitempty"`
	// Condemned are the checks that failed before that, and by how much.
	Condemned []health.Condemned `json:"condemned,omitempty"`
}

// WatchInput asks to judge a stage over and over.
type WatchInput struct {
	HealthInput
	// Until is when the watch ends by itself, after one last look.
	Until time.Time `json:"until"`
	// Watched is how much of the stage was watched before, and Bake how much must have been before
	// a look can end the watch.
	Watched health.Watched `json:"watched,omitzero"`
	Bake    time.Duration  `json:"bake,omitempty"`
	// UntilPass ends the watch as soon as every check passes, too.
	UntilPass bool `json:"settle,omitempty"`
	// Enough ends it from then on as soon as every check passes and has shown enough; zero is
	// never.
	Enough time.Time `json:"enough,omitzero"`
}

// GateInput asks for the evaluation that a gate decides by.
type GateInput struct {
	HealthInput
	// At is the moment to evaluate, unless it is too long ago by the time the activity runs: then
	// it is now, so that nothing is promoted on old evidence.
	At time.Time `json:"at"`
	// Watched is how much of the stage was watched before.
	Watched health.Watched `json:"watched,omitzero"`
}

// StageReport is the newest report on a stage, with what a later watch or gate needs to go on from
// it. As a heartbeat's detail it is what `sluice watch` shows.
type StageReport struct {
	// Checks is the report in words, in a heartbeat: it is what Temporal's Web UI shows first of
	// it.
	Checks []string `json:"checks,omitempty"`
	// handed names the workers that have seen what they may have been blind for.
	handed
	Report health.Report `json:"report"`
	State  health.State  `json:"state"`
	// Watched is how much of the stage was watched so far.
	Watched health.Watched `json:"watched,omitzero"`
}

// RecoverInput asks whether the checks that condemned a release recover after its rollback; all
// checks, where none did.
type RecoverInput struct {
	HealthInput
	Until time.Time `json:"until"`
}
