package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"

	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// 20,000 signals of one kind that arrive in one workflow task are applied without a stall, whatever
// the kind is and whether they have ids.
func TestStormOfEveryKind(t *testing.T) {
	for _, name := range signalNames() {
		r := worker.NewWorkflowReplayer()
		last := 0
		signals := rollout.Signals()
		for i, s := range signals {
			signals[i].Refuse = func(st rollout.State, c rollout.Control) string {
				last++
				if s.Refuse == nil {
					return ""
				}
				return s.Refuse(st, c)
			}
		}
		register(r, signals)
		began := time.Now()
		_ = r.ReplayWorkflowHistory(quiet{}, together(t, name, 20_000, rollout.SignalAbort)) // it ends before the rollout does
		require.Less(t, time.Since(began), 20*time.Second, name)
		require.Positive(t, last, "none was received")
	}
}

// A storm of any kind in any phase delays no abort, and no way back.
func TestStormInEveryPhase(t *testing.T) {
	const storm = 400
	for name, at := range map[string]time.Duration{
		"planning": time.Second, "approval": 30 * time.Second, "measuring": 65 * time.Second, "baking": 90 * time.Second, "holding": 145 * time.Second,
		"rolling-back": 151 * time.Second, "locked": 20 * time.Minute,
	} {
		for _, kind := range signalNames() {
			t.Run(name+"/"+kind, func(t *testing.T) {
				w := newWorld(t, 20)
				w.measuring = 10 * time.Second
				w.mount(w.env.Now())
				s := fourStages()
				s.Stages[0].Approval, s.Stages[2].Approval = spec.ApprovalRequired, spec.ApprovalRequired
				w.health = func(int, time.Duration) health.Verdict { return health.NoData }
				w.at(time.Minute, rollout.SignalApprove, rollout.ControlRequest{By: "bob", Stage: "canary"})
				if name == "rolling-back" || name == "locked" {
					w.do(100*time.Second, func() { w.stuck[w.plan.Order[0].ID] = true })
					w.at(150*time.Second, rollout.SignalAbort, nil)
					w.do(25*time.Minute, func() { clear(w.stuck) })
					w.at(25*time.Minute+time.Second, rollout.SignalRetry, nil)
				}
				w.do(at, func() {
					for range storm {
						w.env.SignalWorkflow(kind, rollout.ControlRequest{By: "ann", Why: "it storms"})
					}
				})
				w.at(at+time.Second, rollout.SignalAbort, rollout.ControlRequest{By: "eve"})
				out := w.run(s)
				took := out.Outcome.EndedAt.Sub(out.StartedAt)
				switch {
				case at > 150*time.Second && kind == rollout.SignalGiveUp:
					require.Equal(t, rollout.PhaseIncomplete, out.Outcome.Result)
					require.Less(t, took, at+10*time.Second)
				case name == "locked" && kind == rollout.SignalRetry: // one try, and not one for each
					require.Equal(t, rollout.PhaseAborted, out.Outcome.Result)
					require.Less(t, took, at+spec.Duration(10*time.Minute).Std())
				case at > 150*time.Second:
					require.Equal(t, rollout.PhaseAborted, out.Outcome.Result)
					require.Less(t, took, 26*time.Minute)
				default:
					require.Equal(t, rollout.PhaseAborted, out.Outcome.Result)
					require.Less(t, took, at+10*time.Second)
				}
				require.LessOrEqual(t, len(out.Controls), rollout.MaxControls)
			})
		}
	}
}
