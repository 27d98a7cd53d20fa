package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	workflows "github.com/sluicehq/sluice/workflows/rollout"
)

// What has no effect is told with what would have.
func TestAdvice(t *testing.T) {
	in := func(phase rollout.Phase, change func(*rollout.State)) view {
		v := baking()
		s := *v.State
		s.Phase = phase
		if change != nil {
			change(&s)
		}
		v.State = &s
		return v.inside()
	}
	paused := func(s *rollout.State) { s.Paused = &rollout.Control{By: "ana"} }
	for name, tc := range map[string]struct {
		v    view
		c    rollout.Control
		want string
	}{
		"approve a stage that is not there": {in(rollout.PhaseBake, nil), rollout.Control{Signal: "approve", Stage: "hlaf"}, "its stages are canary, early, half, everyone; half needs approval: sluice approve edge-proxy --stage half"},
		"approve one that needs none":       {in(rollout.PhaseBake, nil), rollout.Control{Signal: "approve", Stage: "early"}, "half needs approval: sluice approve edge-proxy --stage half"},
		"approve one again":                 {in(rollout.PhaseBake, nil), rollout.Control{Signal: "approve", Stage: "everyone"}, "everyone was approved by bob already"},
		"approve what waits, and none does any more": {in(rollout.PhaseBake, func(s *rollout.State) {
			s.Stages = s.Stages[3:]
		}), rollout.Control{Signal: "approve"}, "everyone was approved by bob already, and no other of its stages needs approval"},
		"approve a stage that is none, and none needs it": {in(rollout.PhaseBake, func(s *rollout.State) {
			s.Stages = s.Stages[3:]
		}), rollout.Control{Signal: "approve", Stage: "nostage"}, "its stages are everyone; everyone was approved by bob already, and no other needs approval"},
		"approve what waits, and none does": {in(rollout.PhaseBake, nil), rollout.Control{Signal: "approve"}, "half needs approval: sluice approve edge-proxy --stage half"},
		"approve a hold":                    {in(rollout.PhaseHold, nil), rollout.Control{Signal: "approve"}, `it holds because some check has no verdict; to pass it: sluice promote edge-proxy --why "…"`},
		"promote what waits for approval":   {in(rollout.PhaseApproval, nil), rollout.Control{Signal: "promote"}, "it waits for approval; to give it: sluice approve edge-proxy"},
		"promote what is paused":            {in(rollout.PhaseBake, paused), rollout.Control{Signal: "promote"}, "to go on: sluice resume edge-proxy"},
		"pause twice":                       {in(rollout.PhaseBake, paused), rollout.Control{Signal: "pause"}, "to go on: sluice resume edge-proxy"},
		"resume what is not paused":         {in(rollout.PhaseBake, nil), rollout.Control{Signal: "resume"}, "to see what it does: sluice status edge-proxy"},
		"abort what goes back":              {in(rollout.PhaseVerify, nil), rollout.Control{Signal: "abort"}, "it is rolling back already; to follow it: sluice watch edge-proxy"},
		"abort twice": {in(rollout.PhaseBake, func(s *rollout.State) {
			s.Aborted = &rollout.Control{Signal: "abort", By: "bob"}
		}), rollout.Control{Signal: "abort"}, "bob aborted it already, and it is rolling back; to follow it: sluice watch edge-proxy"},
		"pause what goes back":     {in(rollout.PhaseRollback, nil), rollout.Control{Signal: "pause"}, "it is rolling back already; to follow it: sluice watch edge-proxy"},
		"promote while it applies": {in(rollout.PhaseApply, nil), rollout.Control{Signal: "promote"}, "to see what it does: sluice status edge-proxy"},
		"approve where nothing is to approve": {in(rollout.PhaseBake, func(s *rollout.State) {
			s.Stages = []rollout.StageState{{Name: "all"}}
		}), rollout.Control{Signal: "approve"}, "none of its stages (all) needs approval"},
		"nothing was heard": {view{Unit: "edge-proxy"}, rollout.Control{Signal: "approve"}, "to see what it does: sluice status edge-proxy"},
	} {
		require.Equal(t, tc.want, advice(tc.v, tc.c), name)
	}
}

// The end of a rollout says what to do where that is not over with it.
func TestAfterwards(t *testing.T) {
	unhealthy := baking()
	s := *unhealthy.State
	s.Preflight = &rollout.Gate{Decision: rollout.RollBack}
	unhealthy.State = &s
	unhealthy = finish(unhealthy, rollout.Outcome{Result: rollout.PhaseRefused, Why: "the fleet is not healthy before the change"})
	require.Contains(t, afterwards(unhealthy), "--override")
	require.Contains(t, afterwards(unhealthy), "Repair that first")
	require.Contains(t, tree(unhealthy, at(0), 0, false), afterwards(unhealthy))
	require.Contains(t, explanation(unhealthy, false, at(0), 0, false), "  "+afterwards(unhealthy))
	require.Contains(t, endChange(unhealthy, at(0))[0].Text, "--override")

	unjudged := finish(unhealthy, rollout.Outcome{Result: rollout.PhaseRefused, Reason: rollout.RefusedUnjudged})
	require.Equal(t, "Correct the check, or bring back what it asks, and start again.", afterwards(unjudged))

	other := finish(baking(), rollout.Outcome{Result: rollout.PhaseRefused, Why: "no fleet"})
	require.Empty(t, afterwards(other))
	require.Empty(t, afterwards(baking()))
}

func TestUnknownUnitIsSuggested(t *testing.T) {
	f := &fakeTemporal{
		describe: func(int) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
			return nil, serviceerror.NewNotFound("no")
		},
		pages: onePage(indexedAs("edge-proxy", "running"), indexedAs("billing", "promoted")),
	}
	r := &remote{client: f, namespace: "prod", address: "temporal:7233"}
	_, err := r.look(t.Context(), "edge-prox", "")
	require.EqualError(t, err, "no such rollout: edge-prox never had one in namespace prod of temporal:7233; "+
		"did you mean edge-proxy? sluice list shows those that exist")
	require.Zero(t, f.queries, "a suggestion is not worth asking anybody")

	f.pages = onePage()
	_, err = r.look(t.Context(), "edge-prox", "")
	require.EqualError(t, err, "no such rollout: edge-prox never had one in namespace prod of temporal:7233: sluice list shows those that exist")
}

func TestRunIDThatIsNone(t *testing.T) {
	f := &fakeTemporal{describe: func(int) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
		return nil, serviceerror.NewInvalidArgument("Invalid RunId.")
	}}
	_, err := (&remote{client: f}).look(t.Context(), "edge-proxy", "nope")
	require.EqualError(t, err, `--run-id "nope" is not the id of a run: sluice list --unit edge-proxy --output json names them`)
	require.Equal(t, exitInvalid, testConsole(&bytes.Buffer{}, &bytes.Buffer{}).report(err))
}

// A reason is refused here, in the words of the command line, if the rollout would not take it.
func TestReasonsAreWords(t *testing.T) {
	r := sluice(t, "", "give-up", "edge-proxy", "--why", "4711")
	require.Equal(t, exitInvalid, r.code)
	require.Contains(t, r.errOut, `--why "4711" has no word in it`)
}

func TestCommandsByOtherNames(t *testing.T) {
	for name, want := range map[string]string{
		"history": "sluice list --unit UNIT", "rollback": "sluice abort UNIT", "stop": "sluice abort UNIT", "logs": "sluice explain UNIT",
		"ls": "sluice list", "continue": "sluice resume UNIT", "deploy": "sluice start SPEC", "statsu": "did you mean status?",
	} {
		r := sluice(t, "", name)
		require.Equal(t, exitInvalid, r.code, name)
		require.Contains(t, r.errOut, want, name)
	}
}

// Who aborts in an incident must know whether that was heard.
func TestSignalThatWasNotSent(t *testing.T) {
	r := sluice(t, "", "abort", "edge-proxy", "--why", "errors", "--address", nowhere(t))
	require.Equal(t, exitInternal, r.code)
	require.Contains(t, r.errOut, "abort was not sent: connect to Temporal")
	f := &fakeTemporal{describe: always(isRunning), query: state(*baking().State), signalErr: serviceerror.NewDeadlineExceeded("late")}
	con := testConsole(&bytes.Buffer{}, &bytes.Buffer{})
	err := signalCommand{rollout.Signal{Name: "abort"}}.send(t.Context(), con, &remote{client: f}, "edge-proxy", rollout.ControlRequest{})
	require.ErrorContains(t, err, "may have arrived all the same: sluice status edge-proxy shows it")
}

// A word of other tools is told by Sluice's, and the help is the command's.
func TestFlagsByOtherNames(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"pause", "u", "--reason", "x"}, "did you mean --why?\nrun sluice pause --help"},
		{[]string{"abort", "u", "-m", "x"}, "did you mean --why?"},
		{[]string{"list", "--json"}, "did you mean --output json?"},
		{[]string{"list", "-n", "x"}, "did you mean --namespace?"},
		{[]string{"abort", "u", "--force"}, "unknown flag --force\nrun sluice abort --help"},
		{[]string{"abort", "u", "--why"}, "--why needs a value\nrun sluice abort --help"},
	} {
		r := sluice(t, "", tc.args...)
		require.Equal(t, exitInvalid, r.code, tc.args)
		require.Contains(t, r.errOut, tc.want, tc.args)
	}
}

// Who starts while another goes back is not told to take that one back.
func TestHeldWhileItGoesBack(t *testing.T) {
	back := *baking().State
	back.Phase = rollout.PhaseVerify
	sub := workflows.Submission{Spec: spec.Spec{Unit: "edge-proxy", Release: "2.4.2"}}
	f := &fakeTemporal{
		startErr: serviceerror.NewWorkflowExecutionAlreadyStarted("", "", "run-1"),
		input:    sub, describe: always(isRunning), query: state(back),
	}
	_, err := (&remote{client: f}).submit(t.Context(), testConsole(&bytes.Buffer{}, &bytes.Buffer{}), loaded{spec: sub.Spec}, sub)
	require.ErrorContains(t, err, "sluice watch edge-proxy")
	require.NotContains(t, err.Error(), "sluice abort")
}

// What was heard before is not taken for what is.
func TestRememberedStateSaysSo(t *testing.T) {
	deaf := view{
		Unit: "edge-proxy", Release: "2.4.1", RunID: "run-1", Status: statusRunning, Phase: "running", Stage: "early",
		Trouble: "no worker answers; the rollout goes on when one is back",
	}
	require.Contains(t, tree(deaf, at(0), 0, false)[0], "running at stage early")
	lines := tree(deaf.remember(baking()), at(0), 0, false)
	require.Contains(t, lines, "no worker answers; the rollout goes on when one is back; below is what it said last")
}
