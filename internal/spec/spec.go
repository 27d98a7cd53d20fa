// Package spec holds the types of a rollout's specification: what a user writes in YAML, decoded
// strictly and with every default filled in.
//
// A Spec travels as JSON inside a workflow's input, so its JSON form is part of what recorded
// histories depend on: fields are added, never renamed.
package spec

import "github.com/sluicehq/sluice/internal/dial"

// Spec is one rollout, as its author wrote it. The zero value is not valid: use Parse, which also
// fills the defaults named at each field.
type Spec struct {
	// Unit names what changes: a service, or one configuration.
	Unit string `yaml:"unit" json:"unit" jsonschema:"pattern=^[a-z0-9][a-z0-9._-]*$,maxLength=64"`
	// Release is the version that the driver understands. It stays text: an unquoted 1.10 is
	// "1.10".
	Release string `yaml:"release,omitempty" json:"release" jsonschema:"maxLength=128"`
	// Bundle is a folder of files, relative to the spec's, or the reference of a bundle that was
	// pushed (registry.example/team/features@sha256:…, oci:FOLDER@sha256:…), in the place of
	// Release: its name is the digest of the files. Only a file has it; whoever reads that sets
	// Release.
	Bundle string `yaml:"bundle,omitempty" json:"-"`
	// Version is what people call the bundle. Optional.
	Version string `yaml:"version,omitempty" json:"version,omitempty" jsonschema:"maxLength=128"`
	// Validate is what must hold of the bundle's files before anything is stored or changed. Only a
	// file has it, as Bundle.
	Validate *Validate `yaml:"validate,omitempty" json:"-"`
	// Fleet says where the targets are listed. Written as the path of a fleet file, or as a
	// mapping.
	Fleet FleetSource `yaml:"fleet" json:"fleet"`
	// Driver says how a release gets onto a target. Exactly one is set, and none with Parts.
	Driver Driver `yaml:"driver,omitempty" json:"driver"`
	// Parts are units that move and come back as one, in the place of Release, Bundle, Validate and
	// Driver. They change in this order, and go back in reverse. Release names the release of each
	// (Compose).
	Parts []Part `yaml:"parts,omitempty" json:"parts,omitempty" jsonschema:"minItems=2,maxItems=10"`
	// Apply bounds how targets are changed.
	Apply Apply `yaml:"apply,omitempty" json:"apply"`
	// Stages are walked in order. The last one reaches the whole fleet.
	Stages []Stage `yaml:"stages" json:"stages" jsonschema:"minItems=1,maxItems=100"`
	// Represent names labels: the first stage must hold at least one target of each of their
	// values.
	Represent []string `yaml:"represent,omitempty" json:"represent,omitempty"`
	// Fallback is where targets go back to that have nothing installed. Without it they are
	// refused. Written "remove", or as a mapping.
	Fallback *Fallback `yaml:"fallback,omitempty" json:"fallback,omitempty"`
	// Health says what must hold for the rollout to go on.
	Health Health `yaml:"health" json:"health"`
	// Notify says who is told of the rollout; nil tells nobody.
	Notify *Notify `yaml:"notify,omitempty" json:"notify,omitempty"`
	// Activates names units whose releases this one may wake: when it is rolled back, the outcome
	// ranks them as suspects beside it.
	Activates []string `yaml:"activates,omitempty" json:"activates,omitempty" jsonschema:"maxItems=20"`
	// OnRegression says what goes back then: "trigger" (default), this release, or "both": those of
	// the units in Activates, too, that are guarded.
	OnRegression string `yaml:"onRegression,omitempty" json:"onRegression,omitempty" jsonschema:"enum=trigger,enum=both,default=trigger"`
	// Drill makes targets run what is new before their stage bakes; nil does nothing.
	Drill *Drill `yaml:"drill,omitempty" json:"drill,omitempty"`
	// Guard is how long the release is watched on after its last stage, more slowly; harm takes it
	// back all the while. At most 30 days (720h). Default 0s.
	Guard Duration `yaml:"guard,omitempty" json:"guard,omitempty"`
	// Train lets releases of the unit overlap; nil is one at a time. Written "train: {}".
	Train *Train `yaml:"train,omitempty" json:"train,omitempty"`
	// Rollback bounds the way back.
	Rollback Rollback `yaml:"rollback,omitempty" json:"rollback"`
}

// Driver holds the settings of exactly one driver.
type Driver struct {
	Choice `yaml:",open=drivers" jsonschema:"-"`
}

// MaxBatch bounds Apply.Batch. An answer about a batch names each of its targets up to twice, by
// 128 bytes, and must fit into Temporal's payload of 2 MB.
const MaxBatch = 4000

// Apply bounds how targets are changed.
type Apply struct {
	// Batch is how many targets one activity changes. Default 1000.
	Batch int `yaml:"batch,omitempty" json:"batch" jsonschema:"minimum=1,maximum=4000"`
	// Parallel is how many targets are changed at once over the whole stage. Default 50.
	Parallel int `yaml:"parallel,omitempty" json:"parallel" jsonschema:"minimum=1,maximum=10000"`
	// Attempts is how often one target is tried before it counts as failed. Default 3.
	Attempts int `yaml:"attempts,omitempty" json:"attempts" jsonschema:"minimum=1,maximum=100"`
}

// Rollback bounds the way back.
type Rollback struct {
	// Deadline is how long unreachable targets are retried before they are named as not reverted.
	// Default 10m.
	Deadline Duration `yaml:"deadline,omitempty" json:"deadline"`
	// Parallel is how many targets are reverted at once. Default 200.
	Parallel int `yaml:"parallel,omitempty" json:"parallel" jsonschema:"minimum=1,maximum=10000"`
	// Recover is how long the checks may take to recover after a rollback before it is reported as
	// not having cured. Default: the warm-up and four looks, at least 1m and at most 10m.
	Recover Duration `yaml:"recover,omitempty" json:"recover"`
}

// Stage is one step of a rollout. Its cohort is the targets that it newly exposes: Count of them,
// or as many as Reach asks for in total, or (neither set) every one that matches Where.
type Stage struct {
	Name string `yaml:"name" json:"name"`
	// Count is the size of the cohort.
	Count *int `yaml:"count,omitempty" json:"count,omitempty" jsonschema:"minimum=1"`
	// Reach is how much of the whole fleet is exposed after this stage.
	Reach *Reach `yaml:"reach,omitempty" json:"reach,omitempty"`
	// Where limits the cohort to targets with all of these labels.
	Where map[string]string `yaml:"where,omitempty" json:"where,omitempty"`
	// Spread names a label: each of its values gets its share of the cohort, ±1.
	Spread string `yaml:"spread,omitempty" json:"spread,omitempty"`
	// Bake is how long the stage is watched after it was applied, at the longest. Required.
	Bake Duration `yaml:"-" json:"bake"`
	// Adaptive lets the bake end before that; nil for a bake of a fixed length.
	Adaptive *Adaptive `yaml:"-" json:"adaptive,omitempty"`
	// Written is how long the stage is watched after it was applied: a duration, or a mapping of a
	// bake that ends as soon as enough was shown. Only a file has it: Parse sets Bake and Adaptive
	// and leaves it zero.
	Written BakeTime `yaml:"bake" json:"-"`
	// Approval "required" holds the stage before it is applied until a person approves it.
	Approval string `yaml:"approval,omitempty" json:"approval,omitempty" jsonschema:"enum=required"`
	// ApproveWithin is how long the stage waits for that: then the rollout rolls back, or is
	// refused where nothing was changed. Default: without end.
	ApproveWithin Duration `yaml:"approveWithin,omitempty" json:"approveWithin,omitempty"`
	// DecideWithin is how long after the end of the bake a gate may hold for lack of a verdict.
	// Default: as long as the bake, at least 1m.
	DecideWithin Duration `yaml:"decideWithin,omitempty" json:"decideWithin"`
	// Undecided is what happens then: "rollback" (default) or "wait" for a person to promote or
	// abort.
	Undecided string `yaml:"undecided,omitempty" json:"undecided" jsonschema:"enum=rollback,enum=wait,default=rollback"`
	// Tolerate says what may go wrong in the stage. Default: nothing.
	Tolerate *Tolerate `yaml:"tolerate,omitempty" json:"tolerate,omitempty"`
}

// StageSweep is the name of the stage that brings in late targets. It is added by the rollout
// itself, and no other stage may have it.
const StageSweep = "sweep"

// Values of Stage.Approval and Stage.Undecided.
const (
	ApprovalRequired  = "required"
	UndecidedRollback = "rollback"
	UndecidedWait     = "wait"
)

// Health says where health is read and what must hold.
type Health struct {
	// Source is the only source, under its name; none where no check asks for series.
	Source Choice `yaml:",open=sources" json:"-" jsonschema:"-"`
	// Access is what the source wants of who asks it.
	dial.Access `yaml:",inline"`
	// Identify says how a target appears in metrics. Default label "instance", value "{{address}}".
	Identify Identify `yaml:"identify,omitempty" json:"identify"`
	// Every is the time between two looks. Default 15s.
	Every Duration `yaml:"every,omitempty" json:"every"`
	// Warmup is how long after an apply samples are no evidence. Default 0s.
	Warmup Duration `yaml:"warmup,omitempty" json:"warmup"`
	// Window is the longest span that $window covers; shortly after an apply it covers only the
	// time since. Default 5m.
	Window Duration `yaml:"window,omitempty" json:"window"`
	// StaleAfter is the age at which the newest sample is too old to judge by. Default: two looks,
	// at least 30s.
	StaleAfter Duration `yaml:"staleAfter,omitempty" json:"staleAfter"`
	// Traffic counts requests, for the share-of-traffic check. Default: the total of the first
	// check that has one.
	Traffic string `yaml:"traffic,omitempty" json:"traffic,omitempty"`
	// Without names always-on checks to leave out: "alive", "traffic".
	Without []string `yaml:"without,omitempty" json:"without,omitempty" jsonschema:"enum=alive,enum=traffic"`
	// FalseRollbackRate is how likely the whole rollout of a release that is not worse is at most
	// to be rolled back, by all checks and stages together. Default 0.1%.
	FalseRollbackRate Number `yaml:"falseRollbackRate,omitempty" json:"falseRollbackRate,omitempty"`
	// Checks are the questions. At least one.
	Checks []Check `yaml:"checks" json:"checks" jsonschema:"minItems=1,maxItems=100"`
}

// MarshalJSON writes Source under its name.
func (h Health) MarshalJSON() ([]byte, error) {
	type fixed Health
	return marshalBeside(fixed(h), h.Source)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (h *Health) UnmarshalJSON(data []byte) error {
	type fixed Health
	return unmarshalBeside(data, (*fixed)(h), &h.Source)
}

// Names of the checks that are always on.
const (
	CheckAlive   = "alive"
	CheckTraffic = "traffic"
)

// Identify maps a target to the label by which metrics know it.
type Identify struct {
	Label string `yaml:"label,omitempty" json:"label"`
	// Value is a template over {{id}}, {{address}} and {{label.NAME}}.
	Value string `yaml:"value,omitempty" json:"value"`
}
