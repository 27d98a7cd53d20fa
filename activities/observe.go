package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/spec"
)

// Observe reads what every target of the batch runs. Its answer is in the history before anything
// is applied: it is the way back.
func (a *Activities) Observe(ctx context.Context, in ObserveInput) (Observed, error) {
	p, d, doubts, err := a.openTo(ctx, in.Plan)
	if err != nil {
		return Observed{}, err
	}
	targets := in.targets(p)
	// oldest is the lowest fence that says that a target belongs to another writer. A straggler may
	// have accepted the rollout's own fence already, when its answer was lost.
	oldest := in.Fence
	if in.Stragglers != nil {
		oldest++
	}
	found, fences := make([]string, len(targets)), make([]int64, len(targets))
	work := &progress{done: make([]bool, len(targets))}
	stop := living(ctx)
	each(ctx, len(targets), in.Parallel, a.nobodyAnswers(ctx, &work.reach, doubts, in.Parallel), func(i int) {
		s, err := observeOne(ctx, p.Spec, d, targets[i], oldest)
		found[i], fences[i] = s.Release, s.Fence
		work.heard(i, targets[i], err, isSilence(err))
	})
	stop()
	if err := ctx.Err(); err != nil {
		return Observed{}, err
	}
	if err := a.doubtful(ctx, &work.reach, doubts, work.silentBeyond(0), func(d doubt) any { return handed{d} }); err != nil {
		return Observed{}, err
	}
	out := observed(p.Spec, targets, found, work)
	if in.Train {
		out.Previous.Fence, out.Previous.Fences = group(targets, fences, work.done)
	}
	return out, nil
}

// observed is the answer of an Observe.
func observed(s spec.Spec, targets []fleet.Target, found []string, work *progress) Observed {
	out := Observed{Trouble: capReasons(work.trouble)}
	out.Previous.Common, out.Previous.Others = group(targets, found, work.done)
	for _, t := range out.Trouble {
		if t.Silent {
			out.Previous.Absent = append(out.Previous.Absent, t.ID)
		}
	}
	for i, r := range found {
		if work.done[i] && r == s.Release {
			out.Already++
		}
	}
	return out
}

// observeOne reads what a target runs, and refuses one that a rollout must not change.
func observeOne(ctx context.Context, s spec.Spec, d driver.Driver, t fleet.Target, oldest int64) (driver.State, error) {
	found, err := retry(ctx, s.Apply.Attempts, func() (driver.State, error) { return d.Observe(ctx, t, s.Unit) })
	switch {
	case err != nil:
	case found.Fence >= oldest && found.Fence/2 == oldest/2:
		err = fmt.Errorf("%w: has taken an order of this rollout (fence %d) that its history does not know: "+
			"it was reset, or Temporal's database was restored to an older state", errUnfit, found.Fence)
	case found.Fence >= oldest:
		err = fmt.Errorf("%w: has accepted fence %d, newer than this rollout's: another writer owns it", errUnfit, found.Fence)
	case found.Release == "" && s.Fallback == nil:
		err = fmt.Errorf("%w: has nothing installed, so there would be nothing to roll back to: "+
			"say where to with fallback, or install a release on it first", errUnfit)
	case s.Fallback == nil && driver.Lacks(d, found.Release) != "":
		err = fmt.Errorf("%w: has nothing installed of its part %s, so there would be nothing to roll that back to: "+
			"say fallback: %s, or install a release of it first", errUnfit, driver.Lacks(d, found.Release), spec.FallbackRemove)
	}
	return found, err
}

// errUnfit is the error of a target that a rollout must not change.
var errUnfit = errors.New("not to be changed")

// isSilence says that a target did not answer, or that its answer says nothing: another try may
// help.
func isSilence(err error) bool {
	return !isRefusal(err) && !errors.Is(err, errUnfit) && !errors.Is(err, driver.ErrOther)
}

// retry calls f up to attempts times with a growing pause, and stops at once on an answer that
// trying again cannot change.
func retry[T any](ctx context.Context, attempts int, f func() (T, error)) (T, error) {
	wait := time.Second
	for n := 1; ; n++ {
		v, err := f()
		if err == nil || isRefusal(err) || n >= attempts || pause.For(ctx, wait) != nil {
			return v, err
		}
		wait = min(3*wait, 10*time.Second)
	}
}

// isRefusal says that trying again would be in vain.
func isRefusal(err error) bool {
	_, drilled := errors.AsType[*driver.DrillError](err)
	return drilled || errors.Is(err, driver.ErrRefused) || errors.Is(err, driver.ErrFenced) || errors.Is(err, errDrift)
}

// group lists targets by what was found on them, with the most frequent implied.
func group[T cmp.Ordered](targets []fleet.Target, found []T, done []bool) (common T, others map[T][]string) {
	by := map[T][]string{}
	for i, r := range found {
		if done[i] {
			by[r] = append(by[r], targets[i].ID)
		}
	}
	for r, ids := range by {
		best := len(by[common])
		if len(ids) > best || len(ids) == best && r < common {
			common = r
		}
	}
	delete(by, common)
	if len(by) > 0 {
		others = by
	}
	return common, others
}

// ByID answers a function that says what a target ran before; known is false for one that was
// absent. The order of the loop over releases changes nothing: a target ran one.
//
//workflowcheck:ignore
func (p Previous) ByID() func(id string) (release string, known bool) {
	others, absent := map[string]string{}, fleet.Set(p.Absent)
	for r, ids := range p.Others {
		for _, id := range ids {
			others[id] = r
		}
	}
	return func(id string) (string, bool) {
		if r, ok := others[id]; ok {
			return r, true
		}
		return p.Common, !absent[id]
	}
}
