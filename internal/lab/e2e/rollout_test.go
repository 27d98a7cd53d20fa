package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/sluicehq/sluice/internal/rollout"
)

// Every signal works from the CLI and as a bare Temporal signal, with a JSON payload, a text or
// nothing.
func TestSignals(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	d.sluice(0, "start", d.spec("2.0.0", "20s", ""))
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))

	d.sluice(0, "pause", unit, "--why", "looking")
	d.until("a pause", func(s rollout.State) bool { return s.Paused != nil && s.Paused.Why == "looking" })
	d.bareSignal(rollout.SignalResume, "")
	d.until("a resume", func(s rollout.State) bool { return s.Paused == nil })
	d.bareSignal(rollout.SignalPause, `"just a text"`)
	d.until("a pause by text", func(s rollout.State) bool { return s.Paused != nil && s.Paused.Why == "just a text" })
	d.sluice(0, "resume", unit)
	d.until("a resume", func(s rollout.State) bool { return s.Paused == nil })

	d.bareSignal(rollout.SignalPromote, "")
	d.until("a refused promote", func(s rollout.State) bool {
		return s.Controls[len(s.Controls)-1].Refused != "" && s.Stage == 0
	})
	d.bareSignal(rollout.SignalPromote, `{"by":"ann","why":"urgent"}`)
	d.until("the last stage's bake", phase(rollout.PhaseBake, 1))
	d.sluice(0, "promote", unit, "--why", "urgent", "--by", "bob")
	require.Equal(t, rollout.PhasePromoted, d.result().Outcome.Result)
	d.sluice(0, "watch", unit)

	d.sluice(0, "start", d.spec("2.0.1", "20s", ""))
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	d.bareSignal(rollout.SignalAbort, `{"by": 7, "nonsense": [`)
	require.Equal(t, rollout.PhaseAborted, d.result().Outcome.Result)
	d.sluice(4, "watch", unit)
}

// A stage that needs approval gets it from the CLI, or by a bare signal.
func TestApproval(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	for release, approve := range map[string]func(){
		"2.0.0": func() { d.sluice(0, "approve", unit, "--by", "ann") },
		"2.0.1": func() { d.bareSignal(rollout.SignalApprove, "") },
	} {
		path := d.spec(release, "2s", "")
		d.sluice(0, "start", edit(t, path, "reach: 100%,", "reach: 100%, approval: required,"))
		s := d.until("a wait for approval", func(s rollout.State) bool { return s.Phase == rollout.PhaseApproval })
		require.Equal(t, 3, s.Exposed)
		approve()
		require.Equal(t, rollout.PhasePromoted, d.result().Outcome.Result)
	}
}

// An abort that is sent while no worker is up takes effect when one comes back.
func TestAbortWithEveryWorkerDown(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	d.sluice(0, "start", d.spec("2.0.0", "1h", ""))
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	d.worker.Kill()
	d.sluice(0, "abort", unit, "--why", "nobody home")
	require.NoError(t, d.worker.Start())
	s := d.result()
	require.Equal(t, rollout.PhaseAborted, s.Outcome.Result)
	require.Equal(t, 3, s.Outcome.Reverted)
	d.allOn("1.0.0")
}

// A second rollout of a unit is refused, naming the first.
func TestSecondStartIsRefused(t *testing.T) {
	t.Parallel()
	d := deploy(t, 12)
	d.sluice(0, "start", d.spec("2.0.0", "1h", ""))
	d.until("the canary's bake", phase(rollout.PhaseBake, 0))
	ran := d.sluice(6, "start", d.spec("2.0.1", "10s", ""))
	require.Contains(t, ran.Stderr, "2.0.0")
	d.sluice(0, "abort", unit, "--why", "done")
	require.Equal(t, rollout.PhaseAborted, d.result().Outcome.Result)
}

// How many events a rollout's history has depends on its stages and batches, not on how long it
// bakes nor on how many targets a batch has. Events of workflow tasks depend on how the server's
// answers coincide, and are left out.
func TestHistoryEvents(t *testing.T) {
	t.Parallel()
	small, big := historyOf(t, 12, "2s"), historyOf(t, 3000, "8s")
	// A small group per batch: observed and applied, each scheduled, started and completed. 2,997
	// targets in batches of at most 1,000 are 4, since four are at work at once, against 1.
	const perBatch = 2 * 3
	require.Equal(t, small.activities+3*perBatch, big.activities)
	require.Equal(t, small.others, big.others)
	// What earlier runs left, plan, validate and preflight; per stage observe, baseline, apply,
	// watch and gate.
	require.Equal(t, (4+2*5)*3, small.activities)
	require.Equal(t, map[enumspb.EventType]int{
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:        1,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:      1,
		enumspb.EVENT_TYPE_TIMER_STARTED:                     2,
		enumspb.EVENT_TYPE_TIMER_FIRED:                       2,
		enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: 4, // one is the version's
		enumspb.EVENT_TYPE_MARKER_RECORDED:                   2, // the version, the run
	}, small.others)
}

type history struct {
	activities int
	others     map[enumspb.EventType]int
}

func historyOf(t *testing.T, targets int, bake string) history {
	d := deploy(t, targets)
	d.sluice(0, "start", "--wait", d.spec("2.0.0", bake, ""))
	h := history{others: map[enumspb.EventType]int{}}
	for typ, n := range d.events() {
		switch typ {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			h.activities += n
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
		default:
			h.others[typ] = n
		}
	}
	return h
}
