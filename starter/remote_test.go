package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	workflows "github.com/sluicehq/sluice/workflows/rollout"
)

const (
	isRunning   = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	isCompleted = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
)

// always answers every look in the same way.
func always(
	status enumspb.WorkflowExecutionStatus, pending ...*workflowpb.PendingActivityInfo,
) func(int) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return func(int) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
		return described(status, pending...), nil
	}
}

func state(s rollout.State) func(int) (rollout.State, error) {
	return func(int) (rollout.State, error) { return s, nil }
}

func testConsole(out, errOut *bytes.Buffer) *console {
	con := newConsole(nil, out, nil, errOut)
	con.now = func() time.Time { return at(12 * time.Minute) }
	return con
}

func TestLook(t *testing.T) {
	live := goodReport(at(11 * time.Minute))
	beat := map[string]any{"report": live, "state": 1}
	now := *baking().State
	stale := goodReport(at(time.Minute)) // from before the stage was applied
	for name, c := range map[string]struct {
		fake  fakeTemporal
		check func(t *testing.T, v view, err error)
	}{
		"running": {fakeTemporal{describe: always(isRunning, pendingWatch(beat)), query: state(now)}, func(t *testing.T, v view, err error) {
			require.NoError(t, err)
			require.Equal(t, &now, v.State)
			require.Equal(t, live.Results, v.Live.Results)
			require.Equal(t, "early", v.Stage)
			require.Empty(t, v.Trouble)
		}},
		"another stage's watch": {fakeTemporal{describe: always(isRunning, pendingWatch(map[string]any{"report": stale})), query: state(now)}, func(t *testing.T, v view, err error) {
			require.NoError(t, err)
			require.Nil(t, v.Live)
		}},
		"watch that has not looked": {fakeTemporal{describe: always(isRunning, pendingWatch(nil), pendingWatch("nonsense")), query: state(now)}, func(t *testing.T, v view, err error) {
			require.NoError(t, err)
			require.Nil(t, v.Live)
		}},
		"no worker": {fakeTemporal{describe: always(isRunning), query: func(int) (rollout.State, error) { return rollout.State{}, errDeaf() }}, func(t *testing.T, v view, err error) {
			require.NoError(t, err)
			require.Nil(t, v.State)
			require.Contains(t, v.Trouble, "no worker answers")
			require.Equal(t, []string{"2.4.1", "ana@laptop", "running", "early"}, []string{v.Release, v.By, v.Phase, v.Stage})
		}},
		"ended": {fakeTemporal{describe: always(isCompleted), result: *incomplete().State}, func(t *testing.T, v view, err error) {
			require.NoError(t, err)
			require.Equal(t, exitIncomplete, v.exitCode())
		}},
		"never": {fakeTemporal{describe: func(int) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
			return nil, serviceerror.NewNotFound("no")
		}}, func(t *testing.T, _ view, err error) {
			require.ErrorIs(t, err, errNoRollout)
			require.Contains(t, err.Error(), "sluice list")
		}},
		"no run id": {fakeTemporal{describe: func(int) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
			return nil, serviceerror.NewInvalidArgument("Invalid RunId.")
		}}, func(t *testing.T, _ view, err error) {
			require.Equal(t, exitInvalid, testConsole(&bytes.Buffer{}, &bytes.Buffer{}).report(err))
		}},
		"no namespace": {fakeTemporal{describe: func(int) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
			return nil, serviceerror.NewNamespaceNotFound("x")
		}}, func(t *testing.T, _ view, err error) {
			require.ErrorContains(t, err, "--namespace")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := (&remote{client: &c.fake}).look(t.Context(), "edge-proxy", "")
			c.check(t, v, err)
		})
	}
}

// Ages are by Temporal's clock, which whoever answers tells, and not by that of the computer here:
// in this test it is years off.
func TestAgesAreByTemporalsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := *baking().State
		f := &fakeTemporal{
			describe: func(int) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
				return described(isRunning), nil
			},
			query: func(int) (rollout.State, error) { return s, nil },
		}
		r := &remote{client: f}
		ages := func() (string, string) {
			v, err := r.look(t.Context(), "edge-proxy", "")
			require.NoError(t, err)
			return tree(v, r.now(), 0, false)[0], glanceAt(v, r.now()).line(r.now())
		}
		first, _ := ages()
		require.NotContains(t, first, "started 12m ago", "a worker of v0.1.0 does not tell the time")
		s.Now = at(12 * time.Minute)
		first, line := ages()
		require.Contains(t, first, "started 12m ago")
		require.Contains(t, line, "the bake ends in 8m10s")
		s.Now = time.Time{}
		time.Sleep(time.Minute)
		first, _ = ages()
		require.Contains(t, first, "started 13m ago", "it goes on from there")
	})
}

// TestFollowOutlivesOutages goes through a worker that is away, then the server, to the end.
func TestFollowOutlivesOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTemporal{result: *incomplete().State}
		f.describe = func(look int) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
			switch {
			case look == 4 || look == 5:
				return nil, errUnavailable("connection refused")
			case look > 6:
				return described(isCompleted), nil
			}
			return described(isRunning), nil
		}
		f.query = func(n int) (rollout.State, error) {
			if n == 2 || n == 3 {
				return rollout.State{}, errDeaf()
			}
			return *baking().State, nil
		}
		var out, errOut bytes.Buffer
		con := testConsole(&out, &errOut)
		last, err := follower{remote: &remote{client: f}, unit: "edge-proxy", observer: textLines{con: con}}.follow(t.Context())
		require.NoError(t, err)
		require.Equal(t, exitIncomplete, last.exitCode())
		golden(t, "follow-outages", strings.Split(strings.TrimSpace(out.String()), "\n"))
	})
}

func TestFollowStopsLooking(t *testing.T) {
	for name, c := range map[string]struct {
		timeout time.Duration
		cancel  time.Duration
		want    string
	}{
		"timeout": {timeout: 5 * time.Second, want: "still running after 5s"},
		"ctrl-c":  {cancel: 5 * time.Second, want: "you stopped watching"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.cancel > 0 {
					time.AfterFunc(c.cancel, cancel)
				}
				f := &fakeTemporal{describe: always(isRunning), query: state(*baking().State)}
				var out, errOut bytes.Buffer
				con := testConsole(&out, &errOut)
				_, err := follower{remote: &remote{client: f}, unit: "edge-proxy", timeout: c.timeout, observer: textLines{con: con}}.follow(ctx)
				require.Equal(t, exitRunning, con.report(err))
				require.Contains(t, errOut.String(), c.want)
				require.Contains(t, errOut.String(), "goes on, now baking")
				require.Contains(t, errOut.String(), "sluice abort edge-proxy")
			})
		})
	}
}

// TestFollowOfAStartedRolloutNeedsNoFirstAnswer: the server dies right after it has accepted the
// start.
func TestFollowOfAStartedRolloutNeedsNoFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTemporal{result: *incomplete().State}
		f.describe = func(look int) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
			if look < 4 {
				return nil, errUnavailable("gone")
			}
			return described(isCompleted), nil
		}
		var out, errOut bytes.Buffer
		con := testConsole(&out, &errOut)
		last, err := follower{remote: &remote{client: f}, unit: "edge-proxy", runID: "run-1", observer: textLines{con: con}}.follow(t.Context())
		require.NoError(t, err)
		require.Equal(t, exitIncomplete, last.exitCode())
	})
}

func TestSignals(t *testing.T) {
	req := rollout.ControlRequest{By: "ana", Why: "why", Stage: "early", ID: "id-2"}
	control := func(n time.Duration, refused string) rollout.Control {
		return rollout.Control{Signal: "pause", By: "ana", Why: "why", ID: fmt.Sprint("id-", int(n)), At: at(n), Refused: refused}
	}
	with := func(cs ...rollout.Control) rollout.State {
		s := *baking().State
		s.Controls = cs
		return s
	}
	for name, c := range map[string]struct {
		query  func(n int) (rollout.State, error)
		code   int
		stderr string
	}{
		"taken": {func(n int) (rollout.State, error) {
			if n < 3 {
				return with(control(1, "")), nil // an earlier one of the same words
			}
			return with(control(1, ""), control(2, "")), nil
		}, exitOK, "paused"},
		"refused": {func(n int) (rollout.State, error) {
			if n < 2 {
				return with(), nil
			}
			return with(control(2, "already paused by bob"), control(2, "a repeat")), nil
		}, exitRefused, "had no effect on the rollout of edge-proxy: already paused by bob"},
		"no worker": {func(int) (rollout.State, error) { return rollout.State{}, errDeaf() }, exitOK, "takes effect when a worker is back"},
		"slow":      {func(int) (rollout.State, error) { return with(), nil }, exitOK, "has not shown it yet"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeTemporal{describe: always(isRunning), query: c.query}
				r := &remote{client: f}
				var out, errOut bytes.Buffer
				con := testConsole(&out, &errOut)
				err := signalCommand{rollout.Signal{Name: "pause", Effect: "paused"}}.send(t.Context(), con, r, "edge-proxy", req)
				require.Equal(t, c.code, con.report(err), errOut.String())
				require.Contains(t, errOut.String(), c.stderr)
				require.Equal(t, []rollout.ControlRequest{req}, f.signals)
			})
		})
	}
	t.Run("ended", func(t *testing.T) {
		f := &fakeTemporal{describe: always(isCompleted), result: *incomplete().State}
		var out, errOut bytes.Buffer
		con := testConsole(&out, &errOut)
		err := signalCommand{rollout.Signal{Name: "pause"}}.send(t.Context(), con, &remote{client: f}, "edge-proxy", req)
		require.Equal(t, exitRefused, con.report(err))
		require.Contains(t, errOut.String(), "no rollout of edge-proxy runs")
		require.Contains(t, errOut.String(), "as incomplete")
		require.Empty(t, f.signals)
	})
}

// An abort that Temporal does not take is a cancellation, and says so. One to a run that has just
// continued as new goes to the next one. Nothing else is sent in another way.
func TestSignalsThatTemporalDoesNotTake(t *testing.T) {
	limit := serviceerror.NewInvalidArgument("exceeded workflow execution limit for signal events")
	for name, c := range map[string]struct {
		signal    string
		err       error
		heals     int
		code      int
		cancelled bool
		want      string
	}{
		"abort, limit of signals": {"abort", limit, 0, exitOK, true, "so it was cancelled, which is an abort"},
		"abort, always busy":      {"abort", serviceerror.NewResourceExhausted(0, "busy"), 0, exitOK, true, "so it was cancelled, which is an abort"},
		"abort, next run":         {"abort", serviceerror.NewNotFound("workflow execution already completed"), 1, exitOK, false, "abort edge-proxy: "},
		"pause, limit of signals": {"pause", limit, 0, exitInvalid, false, "exceeded workflow execution limit"},
		"abort, server is away":   {"abort", errUnavailable("gone"), 0, exitInternal, false, "with --id "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeTemporal{describe: always(isRunning), query: state(*baking().State), signalErr: c.err, heals: c.heals}
				var out, errOut bytes.Buffer
				con := testConsole(&out, &errOut)
				err := signalCommand{rollout.Signal{Name: c.signal}}.send(
					t.Context(), con, &remote{client: f, namespace: "default"}, "edge-proxy", rollout.ControlRequest{ID: "x", By: "ana", Why: "wrong build"})
				require.Equal(t, c.code, con.report(err), errOut.String())
				require.Contains(t, errOut.String(), c.want)
				require.Equal(t, c.cancelled, len(f.cancelled) == 1)
				for _, asked := range f.cancelled {
					require.Equal(t, "ana: wrong build", asked.GetReason())
				}
			})
		})
	}
}

// An approve without a stage is for the one that was seen to wait. Where that is not known, it is
// not sent: it would approve whatever waits when it arrives.
func TestApproveNamesItsStage(t *testing.T) {
	asking := *baking().State
	asking.Phase, asking.Stages = rollout.PhaseApproval, slices.Clone(asking.Stages)
	asking.Stages[asking.Stage+1].Approval = "required"
	var approve rollout.Signal
	for _, s := range rollout.Signals() {
		if s.Name == rollout.SignalApprove {
			approve = s
		}
	}
	for name, c := range map[string]struct {
		query func(int) (rollout.State, error)
		code  int
		want  string
	}{
		"it waits":  {state(asking), exitOK, asking.Stages[asking.Stage+1].Name},
		"it bakes":  {state(*baking().State), exitRefused, "no stage waits for approval now"},
		"no answer": {func(int) (rollout.State, error) { return rollout.State{}, errDeaf() }, exitRefused, "name it with --stage"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeTemporal{describe: always(isRunning), query: c.query}
				var out, errOut bytes.Buffer
				con := testConsole(&out, &errOut)
				err := signalCommand{approve}.send(t.Context(), con, &remote{client: f}, "edge-proxy", rollout.ControlRequest{By: "ana"})
				require.Equal(t, c.code, con.report(err))
				if c.code == exitOK {
					require.Equal(t, c.want, f.signals[0].Stage)
					return
				}
				require.Contains(t, errOut.String(), c.want)
				require.Empty(t, f.signals)
			})
		})
	}
}

// A promote is for the stage that is current when it is sent, also where only the server knows
// which that is, and never for the one after it.
func TestPromoteNamesItsStage(t *testing.T) {
	state := func(int) (rollout.State, error) { return *baking().State, nil }
	deaf := func(int) (rollout.State, error) { return rollout.State{}, errDeaf() }
	for name, c := range map[string]struct {
		signal, stage string
		query         func(int) (rollout.State, error)
		want          string
	}{
		"the state's":  {rollout.SignalPromote, "", state, baking().State.Stages[baking().State.Stage].Name},
		"the server's": {rollout.SignalPromote, "", deaf, "early"},
		"named":        {rollout.SignalPromote, "half", state, "half"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeTemporal{describe: always(isRunning), query: c.query}
				var out, errOut bytes.Buffer
				req := rollout.ControlRequest{By: "ana", Why: "why", Stage: c.stage}
				err := signalCommand{rollout.Signal{Name: c.signal}}.send(t.Context(), testConsole(&out, &errOut), &remote{client: f}, "edge-proxy", req)
				require.NoError(t, err)
				require.Len(t, f.signals, 1)
				require.Equal(t, c.want, f.signals[0].Stage)
			})
		})
	}
}

func TestSubmit(t *testing.T) {
	sub := workflows.Submission{Spec: spec.Spec{Unit: "edge-proxy", Release: "2.4.1"}, FleetDigest: "sha256:a", By: "eve"}
	taken := serviceerror.NewWorkflowExecutionAlreadyStarted("", "", "run-1")
	other := sub
	other.Spec.Release = "2.4.0"
	for name, c := range map[string]struct {
		fake fakeTemporal
		code int
		want []string
	}{
		"held by another": {
			fakeTemporal{startErr: taken, input: other, describe: always(isRunning), query: state(*baking().State)},
			exitRefused,
			[]string{"refused: a rollout of edge-proxy runs already", "by ana@laptop", "baking at stage early", "run run-1", "sluice abort edge-proxy"},
		},
		"held, no worker": {
			fakeTemporal{startErr: taken, input: other, describe: always(isRunning), query: func(int) (rollout.State, error) { return rollout.State{}, errDeaf() }},
			exitRefused,
			[]string{"runs already", "release 2.4.1", "by ana@laptop", "no worker answers"},
		},
		"the same again": {
			fakeTemporal{startErr: taken, input: sub, describe: always(isRunning), query: state(*baking().State)},
			exitRefused,
			[]string{"already started"},
		},
		"no search attributes": {
			fakeTemporal{startErr: serviceerror.NewInvalidArgument("Namespace default has no mapping defined for search attribute SluiceUnit")},
			exitInvalid,
			[]string{"temporal operator search-attribute create --namespace default", "--name SluiceOutcome --type Keyword"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			con := testConsole(&out, &errOut)
			_, err := (&remote{client: &c.fake, namespace: "default"}).submit(t.Context(), con, loaded{spec: sub.Spec}, sub)
			require.Equal(t, c.code, con.report(err))
			for _, w := range c.want {
				require.Contains(t, errOut.String(), w)
			}
		})
	}
}

// The very same rollout is followed by a start that waits; another's is not.
func TestTheSameRolloutIsFollowed(t *testing.T) {
	sub := workflows.Submission{Spec: spec.Spec{Unit: "edge-proxy", Release: "2.4.1"}, FleetDigest: "sha256:a", By: "eve"}
	other := sub
	other.Spec.Release = "2.4.0"
	isLocked := *incomplete().State
	isLocked.Phase = rollout.PhaseLocked
	for name, c := range map[string]struct {
		theirs workflows.Submission
		state  rollout.State
		reason string
		follow bool
	}{
		"the same":               {sub, *baking().State, "same-rollout", true},
		"the same, locked":       {sub, isLocked, "locked", true},
		"another's":              {other, *baking().State, "already-running", false},
		"another's, locked":      {other, isLocked, "locked", false},
		"another's, taken back ": {other, rollout.State{Phase: rollout.PhaseRollback}, "going-back", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeTemporal{
				startErr: serviceerror.NewWorkflowExecutionAlreadyStarted("", "", "run-1"), input: c.theirs,
				describe: always(isRunning), query: state(c.state),
			}
			var out, errOut bytes.Buffer
			con := testConsole(&out, &errOut)
			con.json = true
			s, err := (&remote{client: f, namespace: "default"}).submit(t.Context(), con, loaded{spec: sub.Spec}, sub)
			require.Equal(t, exitRefused, con.report(err))
			require.Contains(t, out.String(), `"reason": "`+c.reason+`"`)
			require.Equal(t, c.follow, s.RunID == "run-1")
		})
	}
}

func TestSubmitOptions(t *testing.T) {
	f := &fakeTemporal{}
	sub := workflows.Submission{Spec: spec.Spec{Unit: "edge-proxy", Release: "2.4.1"}, By: "eve"}
	r := &remote{client: f, namespace: "default", ui: "http://ui"}
	s, err := r.submit(t.Context(), nil, loaded{spec: sub.Spec}, sub)
	require.NoError(t, err)
	require.Equal(t, "http://ui/namespaces/default/workflows/rollout:edge-proxy/run-1", s.URL)
	o := f.started[0]
	require.True(t, o.WorkflowExecutionErrorWhenAlreadyStarted)
	require.Equal(t, enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL, o.WorkflowIDConflictPolicy)
	require.Zero(t, o.WorkflowExecutionTimeout, "it would end the rollout without taking anything back")
	require.Zero(t, o.WorkflowRunTimeout)
}

func TestList(t *testing.T) {
	require.Equal(t, `WorkflowType = 'Rollout' AND TaskQueue = 'sluice' `+
		`AND ExecutionStatus != 'ContinuedAsNew' AND ExecutionStatus = 'Running' `+
		`AND SluiceUnit = 'it\'s \\' AND SluicePhase = 'p' AND SluiceOutcome = 'o'`,
		listFilter{open: true, unit: `it's \`, phase: "p", outcome: "o"}.query(""))
	page := func(n int, next string) *workflowservice.ListWorkflowExecutionsResponse {
		p := &workflowservice.ListWorkflowExecutionsResponse{NextPageToken: []byte(next)}
		for range n {
			p.Executions = append(p.Executions, execution(isRunning))
		}
		return p
	}
	f := &manyRollouts{fakeTemporal: &fakeTemporal{pages: []*workflowservice.ListWorkflowExecutionsResponse{page(2, "x"), page(2, "")}}}
	got, err := (&remote{client: f}).list(t.Context(), listFilter{limit: 3})
	require.NoError(t, err)
	require.Len(t, got.rows, 3)
	golden(t, "list", listTable(got.rows, at(0), 0, false))
}
