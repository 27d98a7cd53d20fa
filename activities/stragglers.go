package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

// StragglersInput asks which stragglers can be reached now: targets that the rollout has left out
// so far, or that have joined the fleet since.
type StragglersInput struct {
	Plan string `json:"plan"`
	// Absent are targets of the plan that did not answer, by id.
	Absent []string `json:"absent,omitempty"`
	// Joined are targets that the plan does not know.
	Joined []fleet.Target `json:"joined,omitempty"`
	// Twice are those of Joined that are one place with another target, as Relisted has them.
	Twice    map[string]string `json:"twice,omitempty"`
	Fence    int64             `json:"fence"`
	Parallel int               `json:"parallel"`
	// Within is how long targets are asked; zero is until all were. Thousands that do not answer
	// would take longer than an activity may.
	Within time.Duration `json:"within,omitempty"`
}

// Stragglers is the answer to a StragglersInput. No target is in both fields. A target that is in
// neither did not answer or was not asked, and there was no room or no time to say so.
type Stragglers struct {
	// Ready are targets that answer, in the order of their ids, at most as many as travel with
	// every later question about the sweep.
	Ready []fleet.Target `json:"ready,omitempty"`
	// Still are those that must not be changed and then those that do not answer, with the reason,
	// at most maxStill.
	Still []Trouble `json:"still,omitempty"`
}

// Bounds of a sweep. Its targets travel in payloads of 2 MB, together with the ids of the targets
// that are left out, which take as much room again.
const (
	maxStragglers     = 2000
	maxStragglerBytes = 512 << 10
	maxStill          = 2000
)

// FindStragglers asks targets that were left out what they run, and changes nothing. A target for
// which one sweep has no room is said to wait for the next one.
func (a *Activities) FindStragglers(ctx context.Context, in StragglersInput) (Stragglers, error) {
	p, d, doubts, err := a.openTo(ctx, in.Plan)
	if err != nil {
		return Stragglers{}, err
	}
	targets, wanted := in.asked(p)
	work := &progress{done: make([]bool, len(targets))}
	unfit := a.unsuitable(p, d, targets, in)
	stop := living(ctx)
	began := time.Now()
	over := func() bool { return in.Within > 0 && time.Since(began) > in.Within }
	each(ctx, len(targets), in.Parallel, over, func(i int) {
		if err := unfit[i]; err != nil {
			work.fail(Trouble{ID: targets[i].ID, Reason: "cannot be brought in: " + err.Error()})
			return
		}
		s, err := observeOne(ctx, p.Spec, d, targets[i], in.Fence+1)
		if err == nil && s.Release != p.Spec.Release && on(d, s, p.Spec.Release, in.Fence) {
			err = fmt.Errorf("%w: is between its parts by an order that was not answered: runs %q", errUnfit, s.Release) // which is no way back
		}
		work.heard(i, targets[i], err, isSilence(err))
	})
	stop()
	if err := ctx.Err(); err != nil {
		return Stragglers{}, err
	}
	if err := a.doubtful(ctx, &work.reach, doubts, work.reach.nobody(1), func(d doubt) any { return handed{d} }); err != nil {
		return Stragglers{}, err
	}
	out := Stragglers{Still: work.trouble}
	for _, id := range slices.Sorted(maps.Keys(wanted)) { // brought in by an earlier sweep
		out.Still = append(out.Still, Trouble{ID: id, Reason: "joined late, and has not answered since", Silent: true})
	}
	if err := out.bringIn(targets, work); err != nil {
		return Stragglers{}, err
	}
	return out, nil
}

// asked are the targets that a sweep asks, sorted. Wanted are the ids of those that nobody knows by
// more.
func (in StragglersInput) asked(p plan.Plan) (targets []fleet.Target, wanted map[string]bool) {
	targets, wanted = slices.Clone(in.Joined), fleet.Set(in.Absent)
	for _, t := range in.Joined { // one that has moved is asked where it is now
		delete(wanted, t.ID)
	}
	for _, t := range p.Order {
		if wanted[t.ID] {
			targets = append(targets, t)
			delete(wanted, t.ID)
		}
	}
	slices.SortFunc(targets, func(a, b fleet.Target) int { return strings.Compare(a.ID, b.ID) })
	return targets, wanted
}

// bringIn takes the targets that have answered, as many as one sweep has room for, and keeps what
// is said of the others within bounds: those that are silent come last.
func (s *Stragglers) bringIn(targets []fleet.Target, work *progress) error {
	room := bounds{targets: maxStragglers, bytes: maxStragglerBytes}
	for i, t := range targets {
		if !work.isDone(i) {
			continue
		}
		switch fits, err := room.take(t); {
		case err != nil:
			return fmt.Errorf("bring in %s: %w", t.ID, err)
		case fits:
			s.Ready = append(s.Ready, t)
		default:
			s.Still = append(s.Still, Trouble{ID: t.ID, Reason: "waits for the next sweep"})
		}
	}
	quiet := slices.DeleteFunc(slices.Clone(s.Still), func(t Trouble) bool { return !t.Silent })
	s.Still = append(slices.DeleteFunc(s.Still, func(t Trouble) bool { return t.Silent }), quiet...)
	s.Still = capReasons(s.Still[:min(len(s.Still), maxStill)])
	return nil
}

// unsuitable says for each target why the rollout could not change or judge it as the spec asks,
// for example because it lacks a label; nil for a target that it could. Such a target would stop
// the sweep, and a stopped sweep takes the whole fleet back. Addresses of the plan were checked
// when it was made.
func (a *Activities) unsuitable(p plan.Plan, d driver.Driver, targets []fleet.Target, in StragglersInput) []error {
	others := present(slices.Concat(in.Absent, fleet.IDs(targets)))
	judged := health.CheckIdentity(p.Spec.Health, a.kinds, others(p.Order))
	order := driver.Order{Unit: p.Spec.Unit, Release: p.Spec.Release, Fence: in.Fence}
	joined := fleet.Set(fleet.IDs(in.Joined))
	out := make([]error, len(targets))
	for i, t := range targets {
		if other, is := in.Twice[t.ID]; is {
			out[i] = fmt.Errorf("it is one place with %s, which the fleet lists, too", other)
		} else if joined[t.ID] {
			out[i] = reachable(p.Spec, a.kinds, t)
		}
		if out[i] == nil {
			out[i] = driver.CheckOrder(d, t, order)
		}
		if out[i] == nil {
			out[i] = judged(t)
		}
	}
	return out
}

// reachable says why the worker could not connect to a target as a spec asks for.
func reachable(s spec.Spec, kinds spec.Kinds, t fleet.Target) error {
	for _, use := range s.AddressUses(kinds) {
		if wrong := use.Check(t.ID, t.Address, t.Labels); wrong != "" {
			return errors.New(wrong)
		}
	}
	return nil
}
