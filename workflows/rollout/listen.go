package rollout

import (
	"encoding/json"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/rollout"
)

// signals are those that a rollout accepts. An abort is read before what came
// with it, so that it wins.
var signals = []string{rollout.SignalAbort, rollout.SignalPause, rollout.SignalResume, rollout.SignalApprove, rollout.SignalPromote, rollout.SignalGiveUp, rollout.SignalRetry}

// listen takes signals for as long as the workflow runs, also while it goes back, and
// once it has ended and only waits for its notifications to be taken.
func (r *run) listen(ctx workflow.Context) {
	sel := workflow.NewSelector(ctx)
	for _, name := range signals {
		ch := workflow.GetSignalChannel(ctx, name)
		sel.AddReceive(ch, func(ch workflow.ReceiveChannel, _ bool) {
			var raw converter.RawValue
			ch.Receive(ctx, &raw)
			r.control(name, request(raw.Payload()))
		})
	}
	// The selector looks here last: whoever is heard knows that no signal waits.
	sel.AddReceive(r.asked, func(ch workflow.ReceiveChannel, _ bool) {
		ch.Receive(ctx, nil)
		r.asking = false
	})
	for {
		sel.Select(ctx)
	}
}

// changeHeard is the change after which a rollout hears what has arrived before it
// decides. A history only has it where there was something to hear.
const changeHeard = "hear-signals-before-deciding"

// heard returns once every signal that has arrived is applied, and so is a
// cancellation. What comes in one workflow task with an activity's answer is in the
// hands of listen when the rollout goes on, and would come too late, or be lost where
// the run ends.
func (r *run) heard() {
	cancelled := r.ctx.Err() != nil && r.aborted == nil && r.state.Outcome == nil
	if !cancelled && (r.asking || r.asked.SendAsync(true)) {
		r.asking = true // listen's hands were empty, and have only this in them now
		return
	}
	if workflow.GetVersion(r.base, changeHeard, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return
	}
	if cancelled {
		r.cancelled()
	}
	r.asked.Send(r.base, true)
}

// drain takes the signals that heard has left in a run that an older worker began.
func (r *run) drain() {
	for _, name := range signals {
		ch := workflow.GetSignalChannel(r.base, name)
		for raw := (converter.RawValue{}); ch.ReceiveAsync(&raw); raw = (converter.RawValue{}) {
			r.control(name, request(raw.Payload()))
		}
	}
}

// request reads a signal's payload leniently: what a person types into the Web UI
// may be an object, a text or nothing, and an abort must not be lost over it.
//
// Decoding JSON reaches functions that the check of determinism knows nothing
// about; the result depends on the payload alone.
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
