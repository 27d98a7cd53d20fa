// Package train holds the workflow that orders the releases of one unit that are under way at once.
// It decides nothing by itself: package internal/train does. The workflow carries its messages,
// starts rollouts, and sees to it that those that were ended by hand are noticed.
package train

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/connect"
	words "github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/train"
	"github.com/sluicehq/sluice/workflows/rollout"
)

// State is all that a train knows, and what it carries to a new run.
type State struct {
	Unit   string       `json:"unit"`
	Ledger train.Ledger `json:"ledger"`
	// Queued are the submissions of rollouts that were not started yet.
	Queued map[train.Number]rollout.Submission `json:"queued,omitempty"`
	// Inputs are digests of what the rollouts under way were submitted with.
	Inputs map[train.Number]string `json:"inputs,omitempty"`
	// Answered are the newest submissions that have a place.
	Answered []Answered `json:"answered,omitempty"`
	// Pending is what an earlier run has not carried out any more.
	Pending []train.Command `json:"pending,omitempty"`
}

// Submit asks for a place in the train.
type Submit struct {
	Submission rollout.Submission `json:"submission"`
	// Input is the digest of its spec and fleet: the same again, while it is under way, gets the
	// same place.
	Input string `json:"input"`
	Every bool   `json:"every,omitempty"`
	// Override says why a release is let in that was taken back before; empty when it is not.
	Override string `json:"override,omitempty"`
}

// Submitted is the answer to a Submit.
type Submitted struct {
	Number train.Number `json:"number"`
	// Same says that the rollout was under way already.
	Same bool `json:"same,omitempty"`
	// Waits says what its first stage waits for; empty if nothing is known of yet.
	Waits string `json:"waits,omitempty"`
}

// Control is what a person asks of a train.
type Control struct {
	By  string `json:"by"`
	Why string `json:"why"`
	// Number is the rollout that a take-back is for.
	Number train.Number `json:"number,omitempty"`
}

// Register gives a worker, or a test environment, the workflow.
func Register(w interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
},
) {
	w.RegisterWorkflowWithOptions(Train, workflow.RegisterOptions{Name: connect.TrainType})
}

// Train orders the rollouts of a unit. It never ends by itself.
func Train(ctx workflow.Context, s State) error {
	r := &run{State: s, id: began(ctx), comparing: map[comparison]bool{}, unlike: map[comparison]bool{}, starts: map[train.Number]int{}}
	if r.Queued == nil {
		r.clear()
	}
	if err := r.answer(ctx); err != nil {
		return err
	}
	r.listen(ctx)
	r.fresh(ctx)
	r.Pending = nil
	r.take(ctx, append(s.Pending, r.Ledger.Retell()...)) // an update may be handled before the handler's setter returns
	err := workflow.SetUpdateHandlerWithOptions(ctx, connect.UpdateSubmit, r.submit, workflow.UpdateHandlerOptions{
		Description: "gives a release its number and its place",
	})
	if err != nil {
		return err
	}
	workflow.Go(ctx, r.lookAfter)
	err = workflow.Await(ctx, func() bool {
		return workflow.GetInfo(ctx).GetContinueAsNewSuggested() && r.working == 0 && workflow.AllHandlersFinished(ctx) &&
			words.JSONSize(r.State) <= maxCarried
	})
	if err != nil {
		return err
	}
	r.drain()
	return workflow.NewContinueAsNewError(ctx, connect.TrainType, r.State)
}

// clear begins without submissions.
func (r *run) clear() {
	r.Queued, r.Inputs = map[train.Number]rollout.Submission{}, map[train.Number]string{}
}

// maxCarried is how many bytes may be carried to a new run: a payload is limited to 2 MB. A train
// with more queued goes on in the same run.
const maxCarried = 1 << 20

// run is one run of the workflow.
type run struct {
	State
	// working is how many commands are carried out.
	working int
	// comparing are the plans that are compared now. Whatever is left is asked for again when one
	// is done.
	comparing map[comparison]bool
	// unlike are those that cannot be compared.
	unlike map[comparison]bool
	// starts count how often the start of a rollout has begun and ended.
	starts  map[train.Number]int
	inboxes []inbox
	// releases are the signals that end a hold.
	releases workflow.ReceiveChannel
	// id is the run's that the ledger is of, and adopting says that the ledger of another is read.
	id       string
	adopting bool
	// indexed is what the search attributes say.
	indexed [2]string
}

// comparison names two rollouts whose plans are compared.
type comparison struct{ younger, older train.Number }

// maxComparing bounds how many are compared at once: a workflow may have 2,000 activities under
// way, and 64 rollouts make 2,016 pairs.
const maxComparing = 10

// inbox is a channel, and what is done with what arrives on it.
type inbox struct {
	arrived workflow.ReceiveChannel
	apply   func(workflow.ReceiveChannel) (commands []train.Command, ok bool)
}

// answer opens the queries.
func (r *run) answer(ctx workflow.Context) error {
	about := workflow.QueryHandlerOptions{Description: "who is where, who waits for what, holds, and how the last rollouts ended"}
	ledger := func() (train.Ledger, error) { return r.Ledger, nil }
	if err := workflow.SetQueryHandlerWithOptions(ctx, connect.QueryLedger, ledger, about); err != nil {
		return err
	}
	about.Description = "all that the train knows: not for people"
	return workflow.SetQueryHandlerWithOptions(ctx, connect.QueryState, func() (State, error) { return r.State, nil }, about)
}

// refusedType is the type of the error of a submission that is refused.
const refusedType = "Refused"

// submit gives a release its place.
func (r *run) submit(ctx workflow.Context, s Submit) (Submitted, error) {
	r.fresh(ctx)
	id := workflow.GetCurrentUpdateInfo(ctx).ID
	for _, a := range r.Answered {
		if a.ID == id {
			return a.Submitted, nil
		}
	}
	for _, o := range r.Ledger.Open {
		if r.Inputs[o.Number] == s.Input {
			return Submitted{Number: o.Number, Same: true, Waits: r.Ledger.Waits(o.Number)}, nil
		}
	}
	l, n, commands, err := r.Ledger.Submit(train.Submission{
		Release: s.Submission.Spec.Release, By: s.Submission.By, Every: s.Every, Override: s.Override != "",
		Floor: workflow.Now(ctx).UnixMilli() * 2,
	})
	if err != nil {
		return Submitted{}, temporal.NewNonRetryableApplicationError(err.Error(), refusedType, errors.Unwrap(err))
	}
	r.Queued[n], r.Inputs[n] = s.Submission, s.Input
	answer := Submitted{Number: n, Waits: l.Waits(n)}
	r.Answered = append(r.Answered[max(0, len(r.Answered)-maxAnswered+1):], Answered{ID: id, Submitted: answer})
	r.take(ctx, r.know(l, commands))
	return answer, nil
}

// listen applies what arrives.
func (r *run) listen(ctx workflow.Context) {
	r.inboxes = []inbox{
		{
			open(ctx, connect.SignalReport, "a rollout tells how it stands: not for people"),
			receive(func(p train.RolloutReport) []train.Command { return r.know(r.Ledger.Hear(p)) }),
		},
		{
			open(ctx, connect.SignalHold, "keeps every rollout of the unit from entering a stage: {by, why}"),
			receive(func(c Control) []train.Command { return r.know(r.Ledger.Keep("held by " + c.By + ": " + c.Why)) }),
		},
		{
			open(ctx, connect.SignalRelease, "ends a hold: {by, why}"),
			receive(func(Control) []train.Command {
				clear(r.unlike)
				return r.know(r.Ledger.Release())
			}),
		},
		{
			open(ctx, connect.SignalTakeBack, "takes back what a rollout has left that was ended by hand: {by, why, number}"),
			receive(func(c Control) []train.Command { return r.know(r.Ledger.TakeBack(c.Number)) }),
		},
	}
	r.releases = r.inboxes[2].arrived
	for _, in := range r.inboxes {
		workflow.Go(ctx, func(ctx workflow.Context) {
			for {
				_ = workflow.Await(ctx, func() bool { return in.arrived.Len() > 0 }) // ctx is never cancelled
				r.fresh(ctx)
				for {
					commands, ok := in.apply(in.arrived)
					if !ok {
						break
					}
					r.take(ctx, commands)
				}
			}
		})
	}
}

func open(ctx workflow.Context, name, about string) workflow.ReceiveChannel {
	return workflow.GetSignalChannelWithOptions(ctx, name, workflow.SignalChannelOptions{Description: about})
}

// receive applies one message of a type, if one has arrived.
func receive[T any](apply func(T) []train.Command) func(workflow.ReceiveChannel) ([]train.Command, bool) {
	return func(ch workflow.ReceiveChannel) ([]train.Command, bool) {
		var v T
		if !ch.ReceiveAsync(&v) {
			return nil, false
		}
		return apply(v), true
	}
}

// drain applies what has arrived since, so that a new run loses nothing. What that asks for is
// carried out there.
func (r *run) drain() {
	for _, in := range r.inboxes {
		for commands, ok := in.apply(in.arrived); ok; commands, ok = in.apply(in.arrived) {
			r.Pending = append(r.Pending, commands...)
		}
	}
}

// know takes a ledger for the newest, and answers what it asks for.
func (r *run) know(l train.Ledger, commands []train.Command) []train.Command {
	r.Ledger = l
	return commands
}
