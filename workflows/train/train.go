// Package train holds the workflow that orders the releases of one unit that are under way at once. It decides nothing
// by itself: package internal/train does. The workflow carries its messages, starts rollouts, and sees to it that those
// that were ended by hand are noticed.
package train

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/activities"
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
	// Input is the digest of its spec and fleet: the same again, while it is under way, gets the same place.
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
	r.take(ctx, r.Ledger, append(s.Pending, r.Ledger.Retell()...)) // an update may be handled before the handler's setter returns
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

// maxCarried is how many bytes may be carried to a new run: a payload is limited to 2 MB. A train with more queued goes on
// in the same run.
const maxCarried = 1 << 20

// run is one run of the workflow.
type run struct {
	State
	// working is how many commands are carried out.
	working int
	// comparing are the plans that are compared now. Whatever is left is asked for again when one is done.
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

// maxComparing bounds how many are compared at once: a workflow may have 2,000 activities under way, and 64 rollouts make
// 2,016 pairs.
const maxComparing = 10

// inbox is a channel, and what is done with what arrives on it.
type inbox struct {
	arrived workflow.ReceiveChannel
	apply   func(workflow.ReceiveChannel) (commands []train.Command, ok bool)
}

// answer opens the queries.
func (r *run) answer(ctx workflow.Context) error {
	about := workflow.QueryHandlerOptions{Description: "who is where, who waits for what, holds, and how the last rollouts ended"}
	if err := workflow.SetQueryHandlerWithOptions(ctx, connect.QueryLedger, func() (train.Ledger, error) { return r.Ledger, nil }, about); err != nil {
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
	r.take(ctx, l, commands)
	return answer, nil
}

// listen applies what arrives.
func (r *run) listen(ctx workflow.Context) {
	r.inboxes = []inbox{
		{open(ctx, connect.SignalReport, "a rollout tells how it stands: not for people"), receive(func(p train.Report) []train.Command {
			l, c := r.Ledger.Hear(p)
			r.Ledger = l
			return c
		})},
		{open(ctx, connect.SignalHold, "keeps every rollout of the unit from entering a stage: {by, why}"), receive(func(c Control) []train.Command {
			l, cs := r.Ledger.Keep("held by " + c.By + ": " + c.Why)
			r.Ledger = l
			return cs
		})},
		{open(ctx, connect.SignalRelease, "ends a hold: {by, why}"), receive(func(Control) []train.Command {
			clear(r.unlike)
			l, cs := r.Ledger.Release()
			r.Ledger = l
			return cs
		})},
		{open(ctx, connect.SignalTakeBack, "takes back what a rollout has left that was ended by hand: {by, why, number}"), receive(func(c Control) []train.Command {
			l, cs := r.Ledger.TakeBack(c.Number)
			r.Ledger = l
			return cs
		})},
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
					r.take(ctx, r.Ledger, commands)
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

// drain applies what has arrived since, so that a new run loses nothing. What that asks for is carried out there.
func (r *run) drain() {
	for _, in := range r.inboxes {
		for commands, ok := in.apply(in.arrived); ok; commands, ok = in.apply(in.arrived) {
			r.Pending = append(r.Pending, commands...)
		}
	}
}

// take keeps a ledger, and carries out what it asks for.
func (r *run) take(ctx workflow.Context, l train.Ledger, commands []train.Command) {
	r.Ledger = l
	for _, n := range workflow.DeterministicKeys(r.Inputs) {
		if !r.open(n) {
			delete(r.Inputs, n)
			delete(r.Queued, n)
		}
	}
	r.publish(ctx)
	for _, c := range commands {
		if pair := (comparison{c.Compare, c.With}); c.Compare != 0 {
			if r.comparing[pair] || r.unlike[pair] || len(r.comparing) == maxComparing {
				continue
			}
			r.comparing[pair] = true
		}
		r.working++
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer func() { r.working-- }()
			r.carryOut(ctx, c)
		})
	}
}

func (r *run) open(n train.Number) bool {
	for _, o := range r.Ledger.Open {
		if o.Number == n {
			return true
		}
	}
	return false
}

// carryOut does what the ledger asks for.
func (r *run) carryOut(ctx workflow.Context, c train.Command) {
	switch {
	case c.Start != 0:
		in := activities.StartRolloutInput{Unit: r.Unit, Number: int64(c.Start)}
		place := rollout.Place{Number: c.Start, Standing: c.Standing}
		if sub, ok := r.Queued[c.Start]; ok {
			sub.Train = &place
			in.Submission, in.Release, in.By = sub, sub.Spec.Release, sub.By
		} else {
			place.TakeBack = true
			in.Again = place
		}
		r.starts[c.Start]++
		err := do(ctx, activities.TypeStartRollout, "start rollout "+number(c.Start), in, nil)
		r.fresh(ctx)
		if r.starts[c.Start]++; err != nil {
			r.notStarted(ctx, c.Start, place.TakeBack, err)
			return
		}
		delete(r.Queued, c.Start)
	case c.Compare != 0:
		r.compare(ctx, c)
	default:
		r.tell(ctx, c)
	}
}

// notStarted ends a rollout that cannot be started and, where it was to take back what its first run has left, nobody
// knows what that is. A person has to look, and ends the hold.
func (r *run) notStarted(ctx workflow.Context, n train.Number, takesBack bool, err error) {
	p := train.Report{Number: n, Seq: workflow.Now(ctx).UnixMilli(), Result: string(words.PhaseRefused), Why: "rollout " + number(n) + " was not started: " + reason(err)}
	if takesBack {
		p.GoesBack, p.Result = true, string(words.PhaseIncomplete)
		p.Why = "nobody knows which targets still run the release of rollout " + number(n) + ", which cannot take it back: " + reason(err)
	}
	l, commands := r.Ledger.Hear(p)
	r.take(ctx, l, commands)
	r.keep(ctx, p.Why)
}

// keep holds the unit for a person.
func (r *run) keep(ctx workflow.Context, why string) {
	l, commands := r.Ledger.Keep(why)
	r.take(ctx, l, commands)
}

// reason is an error in an activity's own words.
func reason(err error) string {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.Message()
	}
	return err.Error()
}

// compare compares the plans of two rollouts, and then those that are left.
func (r *run) compare(ctx workflow.Context, c train.Command) {
	y, o := r.Ledger.Find(c.Compare), r.Ledger.Find(c.With)
	var found train.Comparison
	var err error
	if y != nil && o != nil {
		in := activities.CompareInput{
			Unit: r.Unit, Younger: train.Reach{Number: y.Number, Plan: y.Plan}, Older: train.Reach{Number: o.Number, Plan: o.Plan},
		}
		err = do(ctx, activities.TypeCompare, "compare the plans of rollouts "+number(c.With)+" and "+number(c.Compare), in, &found)
	}
	r.fresh(ctx)
	delete(r.comparing, comparison{c.Compare, c.With})
	if err != nil { // tried again once a person has ended the hold
		r.unlike[comparison{c.Compare, c.With}] = true
		r.keep(ctx, fmt.Sprintf("the plans of rollouts %d and %d cannot be compared, and so nobody knows whether one would overtake: %s", c.With, c.Compare, reason(err)))
		return
	}
	l, commands := r.Ledger.Compared(c.Compare, c.With, found)
	r.take(ctx, l, commands)
}

// tell tells a rollout where it stands. One that cannot be told is told again, or was ended by hand.
func (r *run) tell(ctx workflow.Context, c train.Command) {
	_ = workflow.Await(ctx, func() bool { // ctx is never cancelled
		_, starting := r.Queued[c.Tell]
		return !starting
	})
	id := connect.DeploymentOf(workflow.GetInfo(ctx).TaskQueueName).RolloutID(r.Unit, int64(c.Tell))
	if err := workflow.SignalExternalWorkflow(ctx, id, "", connect.SignalStanding, c.Standing).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("a rollout was not told where it stands", "number", c.Tell, "error", err)
	}
}

// do has an activity done, for as long as it takes.
func do(ctx workflow.Context, name, summary string, in, out any) error {
	o := workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, Summary: summary,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second},
	}
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), name, in).Get(ctx, out)
}
