package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// inState is a rollout of a unit in a state.
func inState(unit string, p rollout.Phase, change func(*rollout.State)) view {
	v := baking()
	s := *v.State
	s.Stages = append([]rollout.StageState{}, s.Stages...)
	s.Unit, s.Phase, s.Since, s.Every, s.Why = unit, p, at(11*time.Minute), spec.Duration(5*time.Second), "what "+unit+" does"
	live := *v.Live
	live.At = at(12*time.Minute - 2*time.Second)
	live.Results = append([]health.Result{}, live.Results...)
	v.Unit, v.RunID, v.State, v.Live = unit, "run-"+unit, &s, &live
	if change != nil {
		change(&s)
	}
	return v.inside()
}

// manyStates are rollouts in every state that matters, the worst first.
func manyStates() []view {
	suspicious := inState("suspects", rollout.PhaseBake, nil)
	suspicious.Live.Results[1].Standing, suspicious.Live.Results[1].Verdict = health.Suspicious, ""
	silent := inState("silent", rollout.PhaseBake, nil)
	silent.State, silent.Live, silent.Trouble, silent.Phase = nil, nil, "no worker answers; the rollout goes on when one is back", "running"
	old := inState("well-old", rollout.PhaseBake, nil)
	old.Live.At = at(11*time.Minute + 19*time.Second)
	return []view{
		inState("locked", rollout.PhaseLocked, func(s *rollout.State) { s.Outcome = &rollout.Outcome{NotBack: 2} }),
		inState("back", rollout.PhaseRollback, func(s *rollout.State) {
			s.NotReverted, s.NotBack = []rollout.TargetTrouble{{ID: "a"}}, 1
		}),
		inState("holds", rollout.PhaseHold, func(s *rollout.State) { s.Stages[1].BakeEnds = at(12*time.Minute + 40*time.Second) }),
		silent,
		inState("asks", rollout.PhaseApproval, func(s *rollout.State) { s.Stages[1].BakeEnds = time.Time{} }),
		inState("paused", rollout.PhaseBake, func(s *rollout.State) {
			s.Stages[1].BakeEnds = time.Time{}
			s.Paused = &rollout.Control{By: "ana", Why: "looking", At: at(10 * time.Minute), Until: at(30 * time.Minute)}
		}),
		suspicious,
		old,
		inState("well", rollout.PhaseBake, nil),
		finish(inState("zdone", rollout.PhaseBake, nil), rollout.Outcome{
			Result: rollout.PhasePromoted, Why: "all 60 targets run 2.4.1", EndedAt: at(11 * time.Minute),
		}),
	}
}

func TestOverviewDrawsTheWorstFirst(t *testing.T) {
	o := &overview{known: map[string]view{}}
	var want []string
	for _, v := range manyStates() {
		o.known[v.RunID] = v
		want = append(want, v.Unit)
	}
	now := at(12 * time.Minute)
	all := o.glances(now)
	var got []string
	for _, g := range all {
		got = append(got, g.Unit)
		require.NotEmpty(t, g.Next, g.Unit)
		require.NotEmpty(t, g.Ends, g.Unit)
		require.Equal(t, g.Unit == "well-old", g.Old, g.Unit)
	}
	require.Equal(t, want, got)
	golden(t, "overview", overviewLines(all, "", now, 0, false))
	golden(t, "overview-60", overviewLines(all, "", now, 60, false))
}

func (m *manyRollouts) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	unit, _ := connect.Deployment("").UnitOf(id)
	info := indexedAs(unit, "running")
	info.Execution.RunId = "run-" + unit
	if m.ended[unit] {
		info.Status, info.CloseTime = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, info.GetStartTime()
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}, nil
}

// It follows all that run, tells changes, survives a server that is away, and exits as the one that
// ended worst.
func TestOverviewFollows(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			running := func(units ...string) []*workflowpb.WorkflowExecutionInfo {
				var out []*workflowpb.WorkflowExecutionInfo
				for _, u := range units {
					info := indexedAs(u, "running")
					info.Execution.RunId = "run-" + u
					out = append(out, info)
				}
				return out
			}
			f := &manyRollouts{
				fakeTemporal: &fakeTemporal{result: *incomplete().State},
				answers:      map[string]rollout.State{"a": in(rollout.PhaseBake), "b": in(rollout.PhaseHold)},
			}
			for _, units := range [][]string{{"a", "b"}, {"a", "b"}, {"b"}, nil} {
				f.pages = append(f.pages, onePage(running(units...)...)...)
			}
			f.ended = map[string]bool{}
			time.AfterFunc(1500*time.Millisecond, func() { f.mu.Lock(); f.ended["a"] = true; f.mu.Unlock() })
			time.AfterFunc(2500*time.Millisecond, func() { f.mu.Lock(); f.ended["b"] = true; f.mu.Unlock() })
			var out, errOut bytes.Buffer
			con := testConsole(&out, &errOut)
			con.json = asJSON
			code, err := (&overview{remote: &remote{client: f}, con: con}).follow(t.Context())
			require.NoError(t, err)
			require.Equal(t, exitIncomplete, code)
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if asJSON {
				require.Len(t, lines, 3)
				var first struct{ Rollouts []glance }
				require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
				require.Equal(t, "b", first.Rollouts[0].Unit)
				return
			}
			require.Len(t, lines, 4, out.String())
			require.Contains(t, lines[0], "b 2.4.1 holding at early")
			require.Contains(t, lines[1], "a 2.4.1 baking at early")
			require.Contains(t, lines[2], "a 2.4.1 incomplete")
		})
	}
}

func TestOverviewOfNothing(t *testing.T) {
	f := &manyRollouts{fakeTemporal: &fakeTemporal{}}
	var out, errOut bytes.Buffer
	_, err := (&overview{remote: &remote{client: f}, con: testConsole(&out, &errOut)}).follow(t.Context())
	require.ErrorContains(t, err, "no rollout runs: start one with sluice start, or name a UNIT")
}

func TestAbortAll(t *testing.T) {
	req := rollout.ControlRequest{ID: "x", By: "ana", Why: "incident 7"}
	abort := signalCommands()[0]
	require.Equal(t, "abort", abort.name)
	for name, c := range map[string]struct {
		open []string
		err  error
		code int
		want []string
		sent int
	}{
		"none": {nil, nil, exitOK, []string{"no rollout runs in namespace default", "nothing to abort"}, 0},
		"all": {
			[]string{"a", "b", "back"},
			nil, exitOK,
			[]string{"abort a: ", "abort b: ", "abort back: it rolls back already, and is rolling-back"},
			2,
		},
		"one is not reached": {[]string{"a", "b"}, errors.New("gone"), exitInternal, []string{"abort a: NOT DONE", "2 of 2 rollouts"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &manyRollouts{fakeTemporal: &fakeTemporal{signalErr: c.err}, answers: map[string]rollout.State{
					"a": in(rollout.PhaseBake), "b": in(rollout.PhaseHold), "back": in(rollout.PhaseRollback),
				}}
				var infos []*workflowpb.WorkflowExecutionInfo
				for _, u := range c.open {
					infos = append(infos, indexedAs(u, "running"))
				}
				f.pages = onePage(infos...)
				var out, errOut bytes.Buffer
				con := testConsole(&out, &errOut)
				err := signalCommand{rollout.Signals()[0]}.sendAll(t.Context(), con, &remote{client: f, namespace: "default"}, req, false)
				require.Equal(t, c.code, con.report(err), errOut.String())
				for _, w := range c.want {
					require.Contains(t, errOut.String(), w)
				}
				require.Len(t, f.signals, c.sent)
			})
		})
	}
	for _, args := range [][]string{{"abort"}, {"abort", "a", "--all", "--why", "x"}, {"abort", "--all"}} {
		require.Equal(t, exitInvalid, sluice(t, "", args...).code, args)
	}
}

func (m *manyRollouts) SignalWorkflow(ctx context.Context, id, run, name string, arg any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fakeTemporal.SignalWorkflow(ctx, id, run, name, arg)
}

// What stands below the stage is said to be old, or a gate's, where it is.
func TestTreeSaysHowOldItsNumbersAre(t *testing.T) {
	now := at(12 * time.Minute)
	draw := func(v view) string { return strings.Join(tree(v, now, 0, false), "\n") }
	require.NotContains(t, draw(inState("well", rollout.PhaseBake, nil)), " ago\n│")
	old := inState("old", rollout.PhaseBake, nil)
	old.Live.At = now.Add(-41 * time.Second)
	require.Contains(t, draw(old), "the newest look was 41s ago\n")
	gated := inState("asks", rollout.PhaseApproval, func(s *rollout.State) {
		s.Stages[1].Gates = []rollout.Gate{{Decision: rollout.Promote, At: now.Add(-time.Minute), Report: goodReport(now.Add(-time.Minute))}}
	})
	gated.Live = nil
	text := draw(gated)
	require.Contains(t, text, "as its gate saw it 1m ago\n")
	require.Contains(t, text, "passed its gate; still watched")
	require.Contains(t, text, "waits for approval")
}

// What ended a while ago leaves the screen; how it ended still decides the exit code.
func TestOverviewForgetsWhatEnded(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ended := view{Status: "terminated"}
	o := overview{
		known: map[string]view{"old": ended}, shown: map[string]glance{"old": {}},
		codes: map[int]bool{}, ended: map[string]time.Time{},
	}
	o.forget(now)
	require.Contains(t, o.known, "old")
	o.known["new"] = ended
	now = now.Add(time.Hour)
	o.forget(now)
	require.Contains(t, o.known, "new")
	require.NotContains(t, o.known, "old")
	require.Empty(t, o.shown)
	delete(o.known, "new")
	require.Equal(t, ended.exitCode(), o.code())
	require.NotEqual(t, exitOK, o.code())
}

// A locked unit is not at rest while the targets that are left are about to be tried again.
func TestWhatIsTriedAgainIsNotAtRest(t *testing.T) {
	require.False(t, inState("again", rollout.PhaseLocked, nil).atRest())
	require.True(t, inState("locked", rollout.PhaseLocked, func(s *rollout.State) { s.Outcome = &rollout.Outcome{NotBack: 2} }).atRest())
}
