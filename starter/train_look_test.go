package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/train"
	trains "github.com/sluicehq/sluice/workflows/train"
)

// aTrain is a server with a train; each look moves it on, up to the last ledger.
type aTrain struct {
	*fakeTemporal
	ledgers []train.Ledger
	asked   int
	phases  map[string]rollout.Phase
	holds   []any
}

func (a *aTrain) QueryWorkflow(_ context.Context, id, _, query string, _ ...any) (converter.EncodedValue, error) {
	if query == connect.QueryLedger {
		a.asked++
		return encoded{a.ledgers[min(a.asked, len(a.ledgers))-1]}, nil
	}
	p, ok := a.phases[id]
	if !ok {
		return nil, errDeaf()
	}
	return encoded{rollout.State{Phase: p, Stages: []rollout.StageState{{Name: "canary"}, {Name: "all"}}}}, nil
}

func (a *aTrain) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if !strings.HasPrefix(id, "train:") {
		return nil, serviceerror.NewNotFound("no rollout")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
	}}, nil
}

func (a *aTrain) SignalWorkflow(_ context.Context, id, _, signal string, arg any) error {
	a.holds = append(a.holds, id, signal, arg)
	return nil
}

// overlapping are two releases of which the older is a stage ahead, and one that ended before.
func overlapping() train.Ledger {
	return train.Ledger{
		Last: 3,
		Open: []train.Rollout{
			{Number: 2, Release: "2.1", State: train.Going, Stages: 2, Passed: 1, Reserved: 2, Granted: 2},
			{Number: 3, Release: "2.2", State: train.Going, Stages: 2, Wants: true, Told: train.Standing{Waits: "rollout 2 is in it"}},
		},
		Closed: []train.Closed{{Number: 1, Release: "2.0", Result: "promoted", Why: "all run 2.0"}},
	}
}

func overlap(then ...train.Ledger) (*aTrain, *remote) {
	a := &aTrain{fakeTemporal: &fakeTemporal{}, ledgers: append([]train.Ledger{overlapping()}, then...), phases: map[string]rollout.Phase{
		"rollout:edge:2": rollout.PhaseBake, "rollout:edge:3": rollout.PhaseTurn,
	}}
	return a, &remote{client: a, short: true}
}

func TestTableOfATrain(t *testing.T) {
	_, r := overlap()
	v, err := r.lookTrain(t.Context(), "edge")
	require.NoError(t, err)
	v.says[2].State.Stage, v.says[2].State.Stages[1].BakeEnds = 1, at(13*time.Minute)
	require.Equal(t, []string{
		"ROLLOUT  RELEASE  canary  all     STATE       WAITS FOR, OR WHY IT ENDED",
		"3        2.2      waits   ·       waiting     rollout 2 is in it",
		"2        2.1      ✓       baking  in stage 2  the bake ends in 1m",
		"1        2.0                      promoted    all run 2.0",
	}, v.lines(at(12*time.Minute), false))
	v.says[3].State.Stages[1].Name = "other"
	require.Contains(t, v.lines(at(0), false)[0], "RELEASE  1      2       STATE", "cuts that differ have numbers")
	v.ledger.Open[0].State, v.ledger.Open[1].WithdrawnBy = train.Back, 2
	require.Contains(t, v.lines(at(0), false)[2], "2        2.1      ↩  ↩  goes back")
}

func TestWhenTheWatchOfATrainEnds(t *testing.T) {
	closed := func(last train.Number, results ...string) train.Ledger {
		l := train.Ledger{Last: last}
		for i, r := range results {
			l.Closed = append(l.Closed, train.Closed{Number: train.Number(i + 1), Result: r})
		}
		return l
	}
	lost := train.Ledger{Last: 2, Open: []train.Rollout{{Number: 1, State: train.Lost}, {Number: 2, State: train.Going, Wants: true}}}
	for name, c := range map[string]struct {
		ledger train.Ledger
		done   bool
		code   int
	}{
		"nothing yet":               {train.Ledger{}, true, exitOK},
		"promoted after one failed": {closed(2, "rolled-back", "promoted"), true, exitOK},
		"withdrawn with an older":   {closed(2, "rolled-back", "withdrawn"), true, exitRolledBack},
		"aborted":                   {closed(1, "aborted"), true, exitAborted},
		"terminated":                {closed(1, "terminated"), true, exitIncomplete},
		"two go on":                 {overlapping(), false, exitRunning},
		"a person is waited for":    {lost, true, exitIncomplete},
	} {
		v := trainView{unit: "edge", ledger: c.ledger}
		require.Equal(t, c.done, v.done(), name)
		require.Equal(t, c.code, v.exitCode(), name)
	}
	lost.Open[1].Wants = false
	require.False(t, trainView{ledger: lost}.done(), "the younger one still bakes")
	locked := trainView{ledger: train.Ledger{Open: []train.Rollout{{Number: 1, State: train.Back}}}, says: map[train.Number]view{
		1: {Status: statusRunning, State: &rollout.State{Phase: rollout.PhaseLocked}},
	}}
	require.True(t, locked.done())
	require.Equal(t, exitIncomplete, locked.exitCode())
}

// A rollout alone begins once its fence, which is its time, is above those of the train that the
// unit has had.
func TestAloneAfterATrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		term := train.Term{Number: began.UnixMilli() * 2 / 65536}
		l := train.Ledger{Last: 1, Term: train.Term{Number: term.Number + 1}}
		a, r := overlap()
		a.ledgers = []train.Ledger{l}
		var errOut bytes.Buffer
		con := &console{errOut: &errOut, now: time.Now}
		require.NoError(t, r.alone(t.Context(), con, "edge"))
		require.Greater(t, rollout.Fence(time.Now()), l.Term.Back(1), "the last fence of its last term")
		require.Less(t, time.Since(began), 70*time.Second)
		require.Regexp(t, "^waiting [1-6][0-9.ms]+: the targets of edge obey its train until then\n$", errOut.String())

		errOut.Reset()
		require.NoError(t, r.alone(t.Context(), con, "edge"))
		require.Empty(t, errOut.String())
	})
}

func TestWatchFollowsATrain(t *testing.T) {
	after := overlapping()
	after.Open, after.Closed = nil, append(after.Closed, train.Closed{Number: 2, Release: "2.1", Result: "superseded", Why: "rollout 3 goes on"},
		train.Closed{Number: 3, Release: "2.2", Result: "promoted", Why: "all run 2.2"})
	for _, asJSON := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			_, r := overlap(after)
			require.True(t, r.inTrain(t.Context(), "edge"))
			require.False(t, r.inTrain(t.Context(), "edge:3"))
			var out, errOut bytes.Buffer
			con := testConsole(&out, &errOut)
			con.json = asJSON
			code, err := (&trainFollower{remote: r, con: con, unit: "edge"}).follow(t.Context())
			require.NoError(t, err)
			require.Equal(t, exitOK, code)
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if asJSON {
				var last struct {
					Event string
					Code  int
				}
				require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &last))
				require.Equal(t, "end", last.Event)
				return
			}
			require.Equal(t, []string{
				"edge:2 2.1 in stage 2, baking", "edge:3 2.2 waiting: rollout 2 is in it",
				"edge:2 2.1 ended as superseded: rollout 3 goes on", "edge:3 2.2 ended as promoted: all run 2.2",
				"nothing is under way in the train of edge",
			}, untimed(lines))
		})
	}
	synctest.Test(t, func(t *testing.T) {
		_, r := overlap()
		var out, errOut bytes.Buffer
		_, err := (&trainFollower{remote: r, con: testConsole(&out, &errOut), unit: "edge", timeout: time.Minute}).follow(t.Context())
		require.ErrorContains(t, err, "still running after 1m: the train of edge goes on")
	})
}

func untimed(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		_, out[i], _ = strings.Cut(l, " ")
	}
	return out
}

func TestListHasTrains(t *testing.T) {
	a, r := overlap()
	info := execution(isRunning)
	info.Execution.WorkflowId = "train:edge"
	info.SearchAttributes.IndexedFields[connect.AttrUnit.GetName()] = payload("edge")
	info.SearchAttributes.IndexedFields[connect.AttrPhase.GetName()] = payload("running")
	a.pages = onePage(info)
	trains, err := r.trains(t.Context(), listFilter{limit: 20, open: true, unit: "edge"})
	require.NoError(t, err)
	require.Equal(t, []string{
		"TRAIN  STATE    UNDER WAY  PROMOTED      HOLD",
		"edge   running  2          2.0 (edge:1)  –",
	}, trainTable(trains, false))
	require.Equal(t, "WorkflowType = 'Train' AND TaskQueue = 'sluice' AND ExecutionStatus = 'Running' "+
		"AND SluiceUnit = 'edge' AND SluicePhase != 'idle'", a.listed[0])
	for _, none := range []listFilter{{unit: "edge:3"}, {phase: "baking"}, {outcome: "promoted"}} {
		trains, err := r.trains(t.Context(), none)
		require.NoError(t, err)
		require.Empty(t, trains)
	}
	require.NoError(t, listFilter{limit: 1, unit: "edge:3"}.check())
	require.Error(t, listFilter{limit: 1, unit: "edge:0"}.check())
	require.Contains(t, listFilter{unit: "edge:3"}.query("payments"), "WorkflowId = 'payments/rollout:edge:3'")
	require.NotContains(t, listFilter{unit: "edge:3"}.query("payments"), "SluiceUnit")
}

// What a rollout waits for is said where many are on one screen.
func TestGlanceAtOneThatWaitsForItsTurn(t *testing.T) {
	g := glanceAt(inState("edge:3", rollout.PhaseTurn, func(s *rollout.State) { s.Why = rollout.Turn + "rollout 2 goes back" }), at(0))
	require.Equal(t, "ends when nothing is before it: rollout 2 goes back", g.Ends)
	require.Equal(t, "sluice train edge", g.Next)
}

// An abort of all keeps what is only queued from beginning behind it, and says so.
func TestAbortAllHoldsTrainsWithQueuedReleases(t *testing.T) {
	l := overlapping()
	l.Open = append(l.Open, train.Rollout{Number: 4, Release: "2.3", State: train.Queued})
	a, r := overlap()
	a.ledgers = []train.Ledger{l}
	info := execution(isRunning)
	info.Execution.WorkflowId = "train:edge"
	info.SearchAttributes.IndexedFields[connect.AttrUnit.GetName()] = payload("edge")
	a.pages = onePage(info)
	a.pages = append([]*workflowservice.ListWorkflowExecutionsResponse{{}}, a.pages...)
	var out, errOut bytes.Buffer
	s := signalCommand{rollout.Signal{Name: rollout.SignalAbort}}
	require.NoError(t, s.sendAll(t.Context(), testConsole(&out, &errOut), r, rollout.ControlRequest{By: "ann", Why: "an incident"}, true))
	require.Equal(t, []any{"train:edge", connect.SignalHold, trains.Control{By: "ann", Why: "an incident"}}, a.holds)
	require.Contains(t, errOut.String(), "abort edge: 1 release had not begun: the unit is held")

	err := r.notFound(t.Context(), "edge:4", "")
	require.ErrorContains(t, err, "edge:4 is queued")
	require.ErrorContains(t, err, "sluice hold-unit edge")
}

func TestAbortInATrainSaysWhatGoesOn(t *testing.T) {
	_, r := overlap()
	for name, want := range map[string]string{
		"edge:3": "older rollouts of its train go on, the oldest is edge:2; an abort of that takes all of them back\n", "edge:2": "", "edge": "",
	} {
		var out, errOut bytes.Buffer
		r.sayOlder(t.Context(), testConsole(&out, &errOut), name)
		require.Equal(t, want, errOut.String(), name)
	}
}

func TestUndoInATrainSaysWhatToType(t *testing.T) {
	lost, idle := overlapping(), overlapping()
	lost.Open = lost.Open[:1]
	lost.Open[0].State = train.Lost
	idle.Open = nil
	for want, l := range map[string]train.Ledger{
		"sluice abort edge:3": overlapping(), "sluice take-back edge:2": lost, "such as 2.0: sluice start SPEC": idle, "sluice start SPEC": {},
	} {
		a, r := overlap()
		a.ledgers = []train.Ledger{l}
		require.ErrorContains(t, r.undoInTrain(t.Context(), "edge"), want)
	}
}

// mute is a server that does not answer about workflows whose ids begin so, and has no others.
type mute struct {
	*aTrain
	about string
}

func (m mute) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if strings.HasPrefix(id, m.about) {
		return nil, errUnavailable("gone")
	}
	return nil, serviceerror.NewNotFound("no such workflow")
}

// Nothing begins where nobody knows what is under way: no train behind one that was ended by hand,
// and nothing alone.
func TestNothingBeginsWithoutAnAnswer(t *testing.T) {
	a, r := overlap()
	a.pages = onePage()
	r.client = mute{a, "rollout:edge:"}
	_, err := r.afresh(t.Context(), "edge")
	require.ErrorContains(t, err, "gone")
	r.client = mute{a, "train:"}
	require.ErrorContains(t, r.alone(t.Context(), &console{}, "edge"), "look for a train of edge")
	_, err = r.undo(t.Context(), &console{}, "edge", "ana", "why")
	require.ErrorContains(t, err, "look for a train of edge")
}
