package activities

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// past is a history in memory.
type past []*historypb.HistoryEvent

func (p *past) HasNext() bool { return len(*p) > 0 }

func (p *past) Next() (*historypb.HistoryEvent, error) {
	e := (*p)[0]
	*p = (*p)[1:]
	return e, nil
}

func payloads(t *testing.T, v any) *commonpb.Payloads {
	t.Helper()
	out, err := converter.GetDefaultDataConverter().ToPayloads(v)
	require.NoError(t, err)
	return out
}

func begun(t *testing.T, in any) *historypb.HistoryEvent {
	started := &historypb.WorkflowExecutionStartedEventAttributes{Input: payloads(t, in), FirstExecutionRunId: "first"}
	return &historypb.HistoryEvent{
		EventId: 1, EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
			WorkflowExecutionStartedEventAttributes: started,
		},
	}
}

func scheduled(id int64, activity string) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{EventId: id, Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
		ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{ActivityType: &commonpb.ActivityType{Name: activity}},
	}}
}

func completed(t *testing.T, id int64, result any) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{EventId: id + 2, Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
		ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{ScheduledEventId: id, Result: payloads(t, result)},
	}}
}

// The snapshot of a fleet is found where the history has it: with the submission, or in what Plan
// answered.
func TestSubmissionInAHistory(t *testing.T) {
	source := spec.FleetSource{Prometheus: "http://prom:9090", Query: "up"}
	listed := PlanInput{Spec: spec.Spec{Unit: "edge", Fleet: source}}
	file := PlanInput{Spec: spec.Spec{Unit: "edge", Fleet: spec.FleetSource{File: "fleet.yaml"}}, FleetDigest: "sha256:x", FleetData: []byte("sent")}
	answer := Planned{Digest: "plan", FleetDigest: "sha256:y", FleetData: []byte("listed")}
	for name, tc := range map[string]struct {
		events past
		digest string
		data   string
	}{
		"sent":         {past{begun(t, file), scheduled(5, "Plan"), completed(t, 5, answer)}, "sha256:x", "sent"},
		"in the store": {past{begun(t, PlanInput{FleetDigest: "sha256:x"}), scheduled(5, "Plan"), completed(t, 5, answer)}, "sha256:x", ""},
		"listed":       {past{begun(t, listed), scheduled(5, "Notify"), scheduled(6, "Plan"), completed(t, 5, "x"), completed(t, 6, answer)}, "sha256:y", "listed"},
		"not yet":      {past{begun(t, listed), scheduled(5, "Plan")}, "", ""},
		"too large":    {past{begun(t, listed), scheduled(5, "Plan"), completed(t, 5, Planned{FleetDigest: "sha256:y"})}, "sha256:y", ""},
	} {
		in, first, err := submittedIn(&tc.events)
		require.NoError(t, err, name)
		require.Equal(t, "first", first, name)
		require.Equal(t, tc.digest, in.FleetDigest, name)
		require.Equal(t, tc.data, string(in.FleetData), name)
	}
}

func asked(t *testing.T, id int64, activity string, in any) *historypb.HistoryEvent {
	e := scheduled(id, activity)
	e.GetActivityTaskScheduledEventAttributes().Input = payloads(t, in)
	return e
}

func closed(kind enumspb.EventType) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{EventType: kind}
}

func ended(t *testing.T, o rollout.Outcome) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
			WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{Result: payloads(t, rollout.State{Outcome: &o})},
		},
	}
}

// resetFrom is where a run was reset, and of which it is the reset.
func resetFrom(base string) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowTaskFailedEventAttributes{
		WorkflowTaskFailedEventAttributes: &historypb.WorkflowTaskFailedEventAttributes{
			Cause: enumspb.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW, BaseRunId: base,
		},
	}}
}

// What earlier runs have touched is read from their histories, back to one that has ended by
// itself.
func TestInherit(t *testing.T) {
	terminated := closed(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED)
	first := ApplyInput{Batch: Batch{Plan: "p", To: 3}, Fence: 20, Previous: Previous{Common: "1.0.0"}}
	second := ApplyInput{Batch: Batch{Plan: "p", From: 3, To: 9}, Fence: 20, Previous: Previous{
		Common: "1.0.0", Others: map[string][]string{"2.0.0": {"a"}}, Absent: []string{"b"},
	}}
	in := PlanInput{Spec: spec.Spec{Unit: "edge", Release: "2.0.0"}}
	carried := map[string]any{"spec": in.Spec, "carried": map[string]any{
		"state": map[string]any{"fence": 20}, "touched": []Touched{{Batch: first.Batch, Previous: first.Previous, Count: 3}},
	}}
	renewed := &historypb.HistoryEvent{EventId: 1, Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: payloads(t, carried)},
	}}
	a, b := first.touched("2.0.0"), second.touched("2.0.0")
	require.Equal(t, []int{3, 4}, []int{a.Count, b.Count})
	require.EqualValues(t, 21, b.Back)
	promoted := rollout.Outcome{Result: rollout.PhasePromoted, Why: "all run it"}
	undo := begun(t, map[string]any{"spec": in.Spec, "undo": map[string]any{"run": "promoted"}})
	undo.EventTime = timestamppb.New(time.UnixMilli(30))
	ofUndo := a
	ofUndo.Back = 61
	lost := RevertInput{Batch: second.Batch, Fence: 21, Previous: Previous{Common: "1.0.0"}, Only: []string{"c", "d"}}
	again, ofFirst, handed := lost, RevertInput{Batch: first.Batch, Fence: 21, Previous: first.Previous}, lost
	again.Only, handed.Inherited, handed.Only = []string{"d", "e"}, true, []string{"f"}
	found := Touched{Batch: second.Batch, Previous: lost.Previous, Count: 2, Only: lost.Only, Back: 21}
	later := found
	later.Count, later.Only = 1, []string{"e"}
	// Of b, two were not touched by its apply.
	silent := RevertInput{Batch: second.Batch, Fence: 21, Previous: Previous{Common: "1.0.0"}, Only: []string{"a", "b", "x"}}
	beside := Touched{Batch: second.Batch, Previous: silent.Previous, Count: 2, Only: []string{"a", "b"}, Back: 21}
	lockedWith := map[string]any{"spec": in.Spec, "carried": map[string]any{
		"state": map[string]any{"fence": 20}, "touched": []Touched{{Batch: first.Batch, Previous: first.Previous, Count: 3}},
		"back": map[string]any{"left": []any{
			map[string]any{"exposure": Touched{Batch: second.Batch, Previous: lost.Previous}, "only": lost.Only},
			map[string]any{"exposure": Touched{Batch: second.Batch}, "only": []string{"z"}, "lost": true},
		}},
	}}
	rest, both := found, found
	rest.Count, rest.Only, both.Only = 1, []string{"c"}, again.Only
	unmarked := a
	unmarked.Back = 0
	histories := map[string]past{
		"terminated": {begun(t, in), asked(t, 5, TypeApply, first), asked(t, 9, TypeObserve, second), asked(t, 12, TypeApply, second), terminated},
		"renewed":    {renewed, asked(t, 12, TypeApply, second), terminated},
		"reset":      {begun(t, in), asked(t, 5, TypeApply, first), terminated},
		"cleared":    {begun(t, in), asked(t, 2, TypeInherit, nil), asked(t, 4, TypePlan, nil), asked(t, 5, TypeApply, first), terminated},
		"nothing":    {begun(t, in), closed(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT)},
		"continued":  {begun(t, in), asked(t, 5, TypeApply, first), closed(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW)},
		"promoted":   {begun(t, in), asked(t, 5, TypeApply, first), ended(t, promoted)},
		"refused":    {begun(t, in), ended(t, rollout.Outcome{Result: rollout.PhaseRefused})},
		"again":      {begun(t, in), asked(t, 5, TypeApply, first), resetFrom("whole"), ended(t, promoted)},
		"undo":       {undo, asked(t, 4, TypePlan, nil), asked(t, 6, TypeInherit, nil), completed(t, 6, Inherited{Touched: []Touched{unmarked}}), terminated},
		"undo, soon": {undo, asked(t, 4, TypePlan, nil), asked(t, 6, TypeInherit, nil), terminated},
		"found":      {begun(t, in), asked(t, 4, TypePlan, nil), asked(t, 5, TypeApply, first), asked(t, 9, TypeRevert, ofFirst), asked(t, 11, TypeRevert, lost), asked(t, 13, TypeRevert, again), asked(t, 15, TypeRevert, handed), terminated},
		"in a batch": {begun(t, in), asked(t, 5, TypeApply, second), asked(t, 11, TypeRevert, silent), terminated},
		"locked":     {begun(t, lockedWith), terminated},
		"twice":      {begun(t, in), asked(t, 11, TypeRevert, again), resetFrom("found"), terminated},
		"whole":      {begun(t, in), asked(t, 5, TypeApply, first), asked(t, 12, TypeApply, second), ended(t, promoted)},
	}
	read := func(run string, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
		h := slices.Clone(histories[run])
		switch {
		case h == nil:
			return &failing{err: serviceerror.NewNotFound("no such run")}
		case filter == enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT:
			h = h[len(h)-1:]
		}
		return &h
	}
	for name, tc := range map[string]struct {
		runs    []string
		base    string
		touched []Touched
		from    []string
		ended   *rollout.Outcome
		closed  bool
	}{
		"the first":                 {nil, "", nil, nil, nil, false},
		"after a promotion":         {[]string{"promoted", "terminated"}, "", nil, nil, &promoted, false},
		"terminated":                {[]string{"terminated", "promoted"}, "", []Touched{a, b}, []string{"run terminated of 2.0.0, which was terminated"}, nil, false},
		"a refusal in between":      {[]string{"refused", "terminated"}, "", []Touched{a, b}, []string{"run terminated of 2.0.0, which was terminated"}, nil, false},
		"it had continued as new":   {[]string{"renewed", "continued"}, "", []Touched{a, b}, []string{"run renewed of 2.0.0, which was terminated"}, nil, false},
		"a reset of a reset":        {[]string{"terminated", "reset"}, "", []Touched{a, b}, []string{"run terminated of 2.0.0, which was terminated"}, nil, false},
		"one that had taken over":   {[]string{"cleared", "terminated"}, "", []Touched{a}, []string{"run cleared of 2.0.0, which was terminated"}, nil, false},
		"terminated before a stage": {[]string{"nothing", "promoted"}, "", nil, nil, &promoted, false},
		"not kept any more":         {[]string{"gone", "terminated"}, "", nil, nil, nil, false},
		"what a survey had found":   {[]string{"found", "promoted"}, "found", []Touched{a, found, later}, []string{"run found of 2.0.0, which was terminated"}, nil, false},
		"found in an applied batch": {[]string{"in a batch", "promoted"}, "", []Touched{b, beside}, []string{"run in a batch of 2.0.0, which was terminated"}, nil, false},
		"found, carried on":         {[]string{"locked", "promoted"}, "", []Touched{a, found}, []string{"run locked of 2.0.0, which was terminated"}, nil, false},
		"found twice":               {[]string{"twice", "found", "promoted"}, "found", []Touched{a, rest, both}, []string{"run twice of 2.0.0, which was terminated", "run found of 2.0.0, which was terminated"}, nil, false},
		"an undo":                   {[]string{"undo", "promoted"}, "", []Touched{ofUndo}, []string{"run undo of 2.0.0, which was terminated"}, nil, false},
		"an undo that knew nothing": {[]string{"undo, soon", "promoted"}, "", nil, nil, &promoted, false},
		"a reset of one that ended": {[]string{"promoted"}, "promoted", nil, nil, &promoted, true},
		"and one ran then":          {[]string{"terminated", "promoted"}, "promoted", []Touched{a, b}, []string{"run terminated of 2.0.0, which was terminated"}, nil, true},
		"and one that had cleared":  {[]string{"cleared", "promoted"}, "promoted", []Touched{a}, []string{"run cleared of 2.0.0, which was terminated"}, nil, true},
		"and one had ended since":   {[]string{"whole", "promoted"}, "promoted", nil, nil, nil, true},
		"a reset of one that ran":   {[]string{"terminated", "promoted"}, "terminated", []Touched{a, b}, []string{"run terminated of 2.0.0, which was terminated"}, nil, false},
		"a reset of one not kept":   {[]string{"terminated", "promoted"}, "gone", []Touched{a, b}, []string{"run terminated of 2.0.0, which was terminated"}, nil, false},
	} {
		out, err := inherit(tc.runs, tc.base, read)
		require.NoError(t, err, name)
		require.Equal(t, tc.touched, out.Touched, name)
		require.Equal(t, tc.from, out.From, name)
		require.Equal(t, tc.ended == nil, out.Ended == nil, name)
		require.Equal(t, tc.closed, out.Closed, name)
	}
	for _, run := range []string{"again", "whole"} { // an undo of a reset takes back what came after that point, too
		out, err := undone(run, read)
		require.NoError(t, err)
		require.Len(t, out.Touched, 2, run)
		require.Zero(t, out.Touched[1].Back)
	}
	_, err := undone("gone", read)
	require.ErrorContains(t, err, "read what run gone has touched")
	_, err = inherit([]string{"x"}, "", func(string, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
		return &failing{err: serviceerror.NewUnavailable("try again")}
	})
	require.ErrorContains(t, err, "read what run x has left")
}

// failing is a history that cannot be read.
type failing struct{ err error }

func (*failing) HasNext() bool { return true }

func (f *failing) Next() (*historypb.HistoryEvent, error) { return nil, f.err }
