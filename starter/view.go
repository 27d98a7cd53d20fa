package main

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
)

// view is what is known of one rollout from the outside.
type view struct {
	Unit, Release, By string
	WorkflowID, RunID string
	// URL is its page in the Web UI; empty when nobody said where that is.
	URL string
	// Status is Temporal's word: running, completed, failed, terminated…
	Status    string
	StartedAt time.Time
	// ClosedAt is zero while it runs.
	ClosedAt time.Time
	// Phase and Stage are the newest known: of the state, or of the index when no worker answers.
	Phase, Stage string
	// Outcome is the result in the index; empty while it runs.
	Outcome string
	// Trouble says why State is missing or may be old; empty when it is fresh.
	Trouble string
	// Remembered says that State was heard before, and not now.
	Remembered bool
	// State is the rollout's own word; nil when it was never heard.
	State *rollout.State
	// Live is the newest look of the watch that runs now; nil without one.
	Live *health.Report
	// Retrying are the activities that have failed and are tried again.
	Retrying []retrying
}

// MarshalJSON writes the state's own fields, as the status query answers them, with what is known
// from outside beside them. Without a state the fields that the index knows are filled in, and
// "heard" is false.
func (v view) MarshalJSON() ([]byte, error) {
	state := rollout.State{Unit: v.Unit, Release: v.Release, By: v.By, StartedAt: v.StartedAt, Phase: rollout.Phase(v.Phase)}
	if v.State != nil {
		state = *v.State
	}
	type fields rollout.State // without its methods
	return json.Marshal(struct {
		fields
		Stage      string         `json:"stage"`
		Index      int            `json:"stageIndex,omitempty"`
		WorkflowID string         `json:"workflowId"`
		RunID      string         `json:"runId"`
		URL        string         `json:"url,omitempty"`
		Status     string         `json:"status"`
		ClosedAt   time.Time      `json:"closedAt,omitzero"`
		Heard      bool           `json:"heard"`
		Trouble    string         `json:"trouble,omitempty"`
		Live       *health.Report `json:"live,omitempty"`
		Retrying   []retrying     `json:"retrying,omitempty"`
	}{fields(state), v.Stage, state.Stage, v.WorkflowID, v.RunID, v.URL, v.Status, v.ClosedAt, v.State != nil, v.Trouble, v.Live, v.Retrying})
}

// undoes is the id of the run that this one takes back on purpose; empty for a rollout, and where
// that is not known.
func (v view) undoes() string {
	if v.State == nil {
		return ""
	}
	return v.State.Undoes
}

// what is the release, and that it is taken back on purpose.
func (v view) what() string {
	if v.undoes() != "" || v.Outcome == string(rollout.PhaseUndone) {
		return "undo of " + v.Release
	}
	return v.Release
}

// statusRunning is the Status of a rollout that has not ended.
const statusRunning = "running"

func (v view) running() bool { return v.Status == statusRunning }

// locked holds for a rollout that only waits because its rollback is incomplete.
func (v view) locked() bool {
	return v.running() && v.State != nil && v.State.Phase == rollout.PhaseLocked
}

// atRest says that nothing will happen any more unless a person asks for it. What is locked and
// has no outcome is about to be tried again.
func (v view) atRest() bool { return !v.running() || v.locked() && v.State.Outcome != nil }

// outcome is how the rollout ended; nil while it runs, or when it ended without a word.
func (v view) outcome() *rollout.Outcome {
	if v.State == nil {
		return nil
	}
	return v.State.Outcome
}

// paused is who has stopped promotion; nil while nobody has.
func (v view) paused() *rollout.Control {
	if v.State == nil || v.State.Outcome != nil {
		return nil
	}
	return v.State.Paused
}

// exitCode is what a command that followed the rollout to here exits with.
func (v view) exitCode() int {
	switch {
	case !v.atRest():
		return exitRunning
	case v.outcome() != nil:
		return resultCode(v.outcome().Result)
	case v.endedFromOutside():
		return exitIncomplete
	}
	return exitInternal
}

// endedFromOutside holds when Temporal was told to end the workflow, which then could take nothing
// back.
func (v view) endedFromOutside() bool {
	return v.Status == "terminated" || v.Status == "timedout" || v.Status == "canceled"
}

// report is the newest evidence on the current stage, of the watch that runs or of the last gate;
// nil without any.
func (v view) report() *health.Report {
	s := v.State
	if s == nil || s.Stage >= len(s.Stages) {
		return v.Live
	}
	gates := s.Stages[s.Stage].Gates
	if len(gates) == 0 {
		return v.Live
	}
	gate := &gates[len(gates)-1].Report
	if v.Live != nil && v.Live.At.After(gate.At) {
		return v.Live
	}
	return gate
}

// remember fills what v lacks with what was known before.
func (v view) remember(before view) view {
	if v.RunID != before.RunID {
		return v
	}
	switch {
	case v.State == nil:
		v.State, v.Live, v.Remembered = before.State, before.Live, before.State != nil
		v.Phase, v.Stage = cmp.Or(before.Phase, v.Phase), cmp.Or(before.Stage, v.Stage)
	case v.Live == nil && v.running() && before.State != nil && before.State.Stage == v.State.Stage:
		v.Live = before.Live // the next watch has not looked yet
	}
	if v.Release == "" {
		v.Release, v.By = before.Release, before.By
	}
	return v
}
