package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// lastAttempts is how often an activity that first runs when the rollback's deadline is over may
// fail to begin: a passing trouble is no reason to leave a batch behind.
const lastAttempts = 3

// Revert puts every target of the batch back on what it ran before, and observes that it is. It
// goes on past targets that fail: all that are left are tried again and again until the deadline,
// by whichever worker reaches them, and then named. It needs the targets and the plan, and nothing
// else.
func (a *Activities) Revert(ctx context.Context, in RevertInput) (Reverted, error) {
	p, d, err := a.open(ctx, in.Plan)
	if err != nil {
		return Reverted{}, in.notBegun(err, a.Clock.Now(), activity.GetInfo(ctx).Attempt)
	}
	doubts, err := a.doubts(ctx, nil) // a way back is not put off for what else a worker has seen
	if err != nil {
		return Reverted{}, err
	}
	began := time.Now()
	targets := in.targets(p)
	before := in.Previous.ByID()
	work := resume(ctx, len(targets))
	stop := beating(ctx, beatEvery, work.save)
	var fenced atomic.Int64
	left, older := in.left(p.Spec, targets, work)
	if in.NameOnly {
		stop()
		return Reverted{Trouble: capReasons(work.unknown(targets, left))}, nil
	}
	err = a.untilBack(ctx, work, doubts, targets, left, in, func(i int) error {
		t := targets[i]
		was, _ := before(t.ID)
		o := driver.Order{Unit: p.Spec.Unit, Release: wayBack(p.Spec, was), Fence: in.Fence, Back: true}
		kept, err := in.revertOne(ctx, d, t, o, p.Spec.Release)
		if err == nil && kept == in.Fence && p.Spec.Parts == nil { // of parts, some may keep none
			fenced.Add(1)
		}
		if in.Train && errors.Is(err, driver.ErrFenced) { // only an older rollout's way back is above this one's
			work.setAside(i)
			return nil
		}
		if in.Inherited && isRefusal(err) && runsAnother(ctx, d, t, p.Spec, was) {
			work.setAside(i)
			return nil
		}
		return err
	})
	stop()
	if ctx.Err() == nil && err != nil {
		return Reverted{}, err
	}
	out := in.count(p.Spec, targets, work)
	out.Older, out.Fenced = out.Older+older, int(fenced.Load())
	if ctx.Err() != nil { // whoever has cancelled it hears how far it has come
		out.Trouble = capReasons(work.unknown(targets, left))
		return Reverted{}, temporal.NewCanceledError(out)
	}
	out.Trouble = capReasons(work.trouble)
	a.metrics.reverted(p.Spec.Unit, began, out.Reverted, len(out.Trouble))
	return out, nil
}

// left are the indexes of the targets that are not back yet, and older is how many an older rollout
// puts back.
func (in RevertInput) left(s spec.Spec, targets []fleet.Target, work *progress) (left []int, older int) {
	before, contained := in.Previous.ByID(), in.contained()
	for i, t := range targets {
		was, known := before(t.ID)
		if !known || in.Only != nil && !slices.Contains(in.Only, t.ID) {
			continue // one that was not found was never touched
		}
		switch {
		case contained(t.ID, was):
			older++
		case !work.isDone(i) && was != s.Release: // nor was one that was found on the release
			left = append(left, i)
		}
	}
	return left, older
}

// count counts the targets that are back, in all and by the release that they run again. Those that
// are set aside run another one: in a train, what an older rollout has put there.
func (in RevertInput) count(s spec.Spec, targets []fleet.Target, work *progress) (out Reverted) {
	before := in.Previous.ByID()
	for i, t := range targets {
		was, _ := before(t.ID)
		switch {
		case !work.isDone(i):
		case work.aside[i] && in.Train:
			out.Older++
		case work.aside[i]:
			out.Reverted++
		default:
			out.Reverted++
			out.To = rollout.CountBack(out.To, wayBack(s, was), 1)
		}
	}
	return out
}

// contained answers a function that says whether an older rollout that was condemned, or is
// withdrawn with one, had put the release on a target that it ran before. What it had run already
// then has an older fence; a driver that keeps none has only the release to tell by.
func (in RevertInput) contained() func(id, was string) bool {
	fences := map[string]int64{}
	for fence, ids := range in.Previous.Fences {
		for _, id := range ids {
			fences[id] = fence
		}
	}
	return func(id, was string) bool {
		fence, ok := fences[id]
		if !ok {
			fence = in.Previous.Fence
		}
		return slices.Contains(in.Condemned, was) && (fence == 0 || fence >= in.Since)
	}
}

// unknown are the troubles so far, and one for each of some targets that is neither known to be
// back nor to be in trouble, without a reason.
func (p *progress) unknown(targets []fleet.Target, of []int) []Trouble {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := slices.Clone(p.trouble)
	for _, i := range of {
		id := targets[i].ID
		if !p.done[i] && !slices.ContainsFunc(p.trouble, func(t Trouble) bool { return t.ID == id }) {
			out = append(out, Trouble{ID: id})
		}
	}
	return out
}

// runsAnother says that a target is seen to run another release than a spec's, and no part of that
// which it has not had before.
func runsAnother(ctx context.Context, d driver.Driver, t fleet.Target, s spec.Spec, was string) bool {
	found, err := d.Observe(ctx, t, s.Unit)
	return err == nil && !driver.Holds(d, found.Release, s.Release, was)
}

// notBegun makes an error that Temporal does not retry of what has kept an attempt from beginning,
// once the rollback's deadline is over.
func (in RevertInput) notBegun(err error, now time.Time, attempt int32) error {
	if in.GiveUp.IsZero() || now.Before(in.GiveUp) || attempt < lastAttempts {
		return err
	}
	return invalid(fmt.Errorf("not begun by the rollback's deadline: %w", err))
}

// wayBack is the release that a target goes back to: what it ran or, where that was nothing, what
// the spec says; empty removes the unit.
func wayBack(s spec.Spec, was string) string {
	if was == "" && s.Fallback != nil {
		return s.Fallback.Release
	}
	return was
}

// untilBack makes passes over the targets that are left, until none is, or the deadline is over.
// Where there are other workers it makes one, and its error ends the attempt: what this worker does
// not reach another one may. Every target is tried at least once.
func (a *Activities) untilBack(
	ctx context.Context, work *progress, doubts doubt, targets []fleet.Target, left []int, in RevertInput, revert func(i int) error,
) error {
	for n := activity.GetInfo(ctx).Attempt; ; n++ {
		work.reach.begin()
		open, all := pass(ctx, work, targets, left, in.Parallel, a.nobodyAnswers(ctx, &work.reach, doubts, in.Parallel), revert)
		if ctx.Err() != nil || len(open) == 0 {
			return nil //nolint:nilerr // a cancellation ends the attempt with what is done
		}
		wait := min(250*time.Millisecond<<min(n-1, 10), 10*time.Second)
		fresh := a.passOn(ctx, work, doubts)
		if !fresh && all && a.Clock.Now().Add(wait).After(in.Deadline) {
			for _, o := range open {
				why := "not back by the rollback's deadline: "
				if in.Deadline.IsZero() { // a pass before the one that waits for it
					why = ""
				}
				work.fail(Trouble{ID: targets[o.at].ID, Reason: why + o.why})
			}
			return nil
		}
		if !fresh && pause.For(ctx, wait) != nil { // waited here, where a cancellation hears how far it has come
			return nil //nolint:nilerr // as above
		}
		if a.another(ctx, doubt{}) {
			return a.handOn(ctx, fmt.Sprintf("%d targets are not back yet: %s", len(open), open[0].why), work.save())
		}
		left = left[:0]
		for _, o := range open {
			left = append(left, o.at)
		}
	}
}

// passOn notes who has tried and reached nobody, so that the next attempt is another worker's. It
// answers whether there is one that has not tried.
func (a *Activities) passOn(ctx context.Context, work *progress, doubts doubt) (another bool) {
	next := doubts
	if work.reach.nobody(1) {
		next, another = a.elsewhere(ctx, doubts, &a.blind.targets)
	} else {
		next.Attempt = activity.GetInfo(ctx).Attempt // who reaches nobody still steps aside
	}
	work.hand(next)
	return another
}

// open is a target that another try may bring back: which one, and why it is not back yet.
type open struct {
	at  int
	why string
}

// pass tries every target that is left once; one that does not answer never keeps another waiting.
// It answers those that are open, and whether all were tried.
func pass(
	ctx context.Context, work *progress, targets []fleet.Target, left []int, parallel int, halt func() bool, revert func(i int) error,
) (again []open, all bool) {
	errs, tried := make([]error, len(left)), make([]bool, len(left))
	each(ctx, len(left), parallel, halt, func(n int) {
		errs[n], tried[n] = revert(left[n]), true
		work.reach.note(errs[n])
	})
	all = true
	for n, i := range left {
		switch err := errs[n]; {
		case !tried[n]:
			all = false
			again = append(again, open{i, "not tried yet"})
		case err == nil:
			work.finish(i)
		case isRefusal(err):
			work.fail(Trouble{ID: targets[i].ID, Reason: err.Error(), Final: true})
		default:
			again = append(again, open{i, rollout.Clip(err.Error(), maxReason)})
		}
	}
	return again, all
}

// errDrift means that the target runs neither release: it is left as it is.
var errDrift = errors.New("changed by somebody else")

// wentBack says that a target has refused an order of this rollout, forward or back, and runs what
// it went back to by itself: nobody else has changed it. The order forward has the fence before
// that of the way back.
func (in RevertInput) wentBack(s driver.State, back int64) bool {
	return s.Refused && (s.Fence == back || s.Fence == cmp.Or(in.Forward, back-1))
}

// revertOne takes a release back from a target: it orders the previous one and observes that it is
// in effect. The order is sent even to a target that runs it already, so that its fence shuts out
// an apply that is still on its way. It answers the fence that the target keeps then.
func (in RevertInput) revertOne(
	ctx context.Context, d driver.Driver, t fleet.Target, o driver.Order, release string,
) (fence int64, err error) {
	s, err := d.Observe(ctx, t, o.Unit)
	if errors.Is(err, driver.ErrOther) { // that one is not ours to mend
		return 0, err
	}
	if err == nil && in.Train && s.Fence > o.Fence { // what it runs is an older rollout's, and so neither drift nor this one's
		return 0, fmt.Errorf("%w: has accepted fence %d, newer than %d", driver.ErrFenced, s.Fence, o.Fence)
	}
	// An apply that broke off may have left nothing, and one that broke the target may keep it from
	// answering: both are ours to mend.
	if err == nil && !driver.MadeOf(d, s.Release, slices.Concat(in.Younger, []string{"", release, o.Release})...) && !in.wentBack(s, o.Fence) {
		return 0, fmt.Errorf("%w: runs %q, neither %q nor %q, and was left alone", errDrift, s.Release, release, o.Release)
	}
	if err := d.Apply(ctx, t, o); err != nil {
		return 0, err
	}
	s, err = d.Observe(ctx, t, o.Unit)
	if err != nil {
		return 0, fmt.Errorf("observe after rollback: %w", err)
	}
	if s.Release != o.Release {
		return 0, fmt.Errorf("accepted %q and still runs %q", o.Release, s.Release)
	}
	return s.Fence, nil
}
