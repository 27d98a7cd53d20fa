package rollout

import (
	"encoding/json"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/rollout"
)

// signalsAtOnce is how many signals are applied before other coroutines run. Temporal takes a
// coroutine that works for a second without a pause for a deadlock, and 20,000 signals may arrive
// together. Runs that began under v0.1.0 apply 500.
const signalsAtOnce = 100

// inbox is a signal with the channel on which it arrives.
type inbox struct {
	signal  rollout.Signal
	arrived workflow.ReceiveChannel
}

// openInboxes opens the channel of every signal.
func (r *run) openInboxes(ctx workflow.Context, signals []rollout.Signal) {
	for _, s := range signals {
		ch := workflow.GetSignalChannelWithOptions(ctx, s.Name, workflow.SignalChannelOptions{Description: s.About()})
		r.inboxes = append(r.inboxes, inbox{signal: s, arrived: ch})
	}
}

// listen applies signals as they arrive, for as long as the workflow runs. It waits for a condition
// and not for a channel: a coroutine that waits for a channel may hold a signal that it has not
// applied yet, where applyPendingSignals cannot see it. It wakes in every task, since a task that
// only a signal has caused may be the first of a reset.
func (r *run) listen(ctx workflow.Context) {
	for {
		known := workflow.GetInfo(ctx).GetCurrentHistoryLength()
		_ = workflow.Await(ctx, func() bool { // ctx is never cancelled
			return r.applySome() || r.since020 && workflow.GetInfo(ctx).GetCurrentHistoryLength() != known
		})
		r.noticeReset(ctx)
		yield(ctx)
	}
}

// applyPendingSignals applies every signal that has arrived. The run calls it after everything that
// it has waited for: a pause that arrives in one workflow task with the answer of an activity is
// applied before anything is decided from that answer.
func (r *run) applyPendingSignals(ctx workflow.Context) {
	r.noticeReset(ctx)
	for r.applySome() {
		yield(ctx)
	}
}

// applySome applies up to signalsAtOnce of the signals that have arrived, aborts first, and answers
// whether there were any. A cancellation of the workflow is an abort.
func (r *run) applySome() bool {
	n, most := 0, signalsAtOnce
	if !r.since020 {
		most = 500
	}
	for _, in := range r.inboxes {
		if in.signal.Name == rollout.SignalAbort && r.ctx.Err() != nil && !r.reset && !r.overtaken() && !r.State.GoingBack() && !r.cancelled {
			r.cancelled = true // once: it may be refused
			r.receive(in.signal, rollout.ControlRequest{By: "a Temporal cancellation"})
			n++
		}
		for raw := (converter.RawValue{}); n < most && in.arrived.ReceiveAsync(&raw); n++ {
			r.receive(in.signal, request(raw.Payload()))
			raw = converter.RawValue{}
		}
	}
	n += r.hearTrain()
	if n > 0 {
		r.publish()
	}
	return n > 0
}

// receive applies one signal. An abort cancels what goes forward at once.
func (r *run) receive(s rollout.Signal, req rollout.ControlRequest) {
	s.Receive(&r.State, req, workflow.Now(r.base))
	if r.State.Aborted != nil {
		r.cancelForward()
	}
}

// yield lets every other coroutine run.
func yield(ctx workflow.Context) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	others := false
	workflow.Go(ctx, func(workflow.Context) { others = true })
	_ = workflow.Await(ctx, func() bool { return others }) // ctx is never cancelled
}

// request reads a signal's payload leniently: what a person types into the Web UI may be an object,
// a text or nothing, and an abort must not be lost over it.
//
// Decoding JSON reaches functions that the check of determinism knows nothing about; the result
// depends on the payload alone.
//
//workflowcheck:ignore
func request(p *commonpb.Payload) rollout.ControlRequest {
	data := strings.TrimSpace(string(p.GetData()))
	var req rollout.ControlRequest
	if json.Unmarshal([]byte(data), &req) == nil {
		return req
	}
	var text string
	if json.Unmarshal([]byte(data), &text) != nil {
		text = data
	}
	return rollout.ControlRequest{Why: text}
}
