package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

// evaluator opens the judge on a stage, going on from what was seen before. It answers the
// pace of looks, too.
func (a *Activities) evaluator(ctx context.Context, in HealthInput) (*health.Evaluator, health.Pace, error) {
	p, d, err := a.open(ctx, in.Plan)
	if err != nil {
		return nil, health.Pace{}, err
	}
	b, err := a.arms(ctx, p, in.StageRef)
	if err != nil {
		return nil, health.Pace{}, err
	}
	b.Previous, b.Since, b.Before, b.Recovering, b.Earlier = in.Previous, in.Since, in.Before, in.Recovering, in.Earlier
	b.Condemned = in.Condemned
	b.Fence, b.Began, b.Ran = in.Fence, in.Began, in.Ran
	asked := p.Spec.Health
	asked.Every = cmp.Or(spec.Duration(in.Every), asked.Every)
	checks, b := withoutPast(asked, b)
	m, err := health.Open(checks, b, a.deps(d))
	if err != nil {
		return nil, health.Pace{}, invalid(fmt.Errorf("set up health checks: %w", err))
	}
	if err := m.Restore(in.State); err != nil {
		return nil, health.Pace{}, invalid(fmt.Errorf("resume health checks: %w", err))
	}
	return m, health.PaceOf(asked), nil
}

// deps are what a judge reaches the world by.
func (a *Activities) deps(d driver.Driver) health.Deps {
	deps := a.health
	deps.Driver, deps.Transport, deps.Dial, deps.Now = d, a.sources, a.sources.DialContext, a.Clock.Now
	return deps
}

// binding says whom a stage's checks are about, without the targets that are left
// out of it.
func binding(p plan.Plan, ref StageRef) health.Binding {
	b := health.Binding{Scope: source.Scope{Unit: p.Spec.Unit, Release: p.Spec.Release}, Stages: p.Spec.JudgedStages()}
	here, at := present(ref.Absent), ref.Stage
	if ref.Stragglers != nil { // a sweep bakes like the last stage
		at = len(p.Stages) - 1
		b.Stage, b.Cohort = spec.StageSweep, here(ref.Stragglers)
		others := present(slices.Concat(ref.Absent, fleet.IDs(ref.Stragglers))) // a straggler of the plan counts once
		b.Exposed = append(others(p.Order), b.Cohort...)
	} else {
		b.Stage, b.Cohort = p.Stages[at].Name, here(p.Cohort(at))
		b.Exposed, b.Control = here(p.Exposed(at)), here(p.Control(at))
	}
	b.Bake, b.Adaptive = p.Spec.Stages[at].Bake.Std(), p.Spec.Stages[at].Adaptive
	b.Hold = p.Spec.Stages[at].DecideWithin.Std() / 2 // the rest is there to pass in
	allowed := 0
	for i, s := range p.Stages {
		if s.From < len(b.Exposed) {
			allowed += p.Spec.Stages[i].Unreachable(s.Size())
		}
	}
	b.Silent = max(0, allowed-len(ref.Absent))
	return b
}

// present answers a function that leaves out targets by their ids.
func present(absent []string) func([]fleet.Target) []fleet.Target {
	if len(absent) == 0 {
		return slices.Clone[[]fleet.Target]
	}
	out := fleet.Set(absent)
	return func(ts []fleet.Target) []fleet.Target {
		return slices.DeleteFunc(slices.Clone(ts), func(t fleet.Target) bool { return out[t.ID] })
	}
}

// Baseline measures a stage's targets before it is applied.
func (a *Activities) Baseline(ctx context.Context, in BaselineInput) (health.Baseline, error) {
	p, d, err := a.open(ctx, in.Plan)
	if err != nil {
		return health.Baseline{}, err
	}
	doubts, err := a.doubts(ctx, &a.blind.health)
	if err != nil {
		return health.Baseline{}, err
	}
	defer living(ctx)()
	arms, err := a.arms(ctx, p, in.StageRef)
	if err != nil {
		return health.Baseline{}, err
	}
	past := health.Baseline{BareOwn: bare(ctx, p, d, arms.Cohort), BareControl: bare(ctx, p, d, arms.Control)}
	past.Bare = past.BareOwn && (len(arms.Exposed) == len(arms.Cohort) || bare(ctx, p, d, arms.Exposed))
	m, _, err := a.evaluator(ctx, HealthInput{StageRef: in.StageRef, Since: in.At, Earlier: in.Earlier, Began: in.Began, Before: past})
	if err != nil {
		return health.Baseline{}, err
	}
	out, err := m.Baseline(ctx, source.Later(in.At, a.Clock.Now()))
	out.Bare, out.BareOwn, out.BareControl = past.Bare, past.BareOwn, past.BareControl
	if err == nil {
		err = a.unsure(ctx, m.Unsure(), doubts)
	}
	return out, err
}

// errWorkerStops sends a watch to another worker.
var errWorkerStops = errors.New("this worker stops; the watch goes on elsewhere")

// Watch looks at a stage every spec.Health.Every, and returns as soon as a look
// is FAIL; with Settle, also when one is clear, and from Enough on when one has shown
// enough. Otherwise it ends at Until, or when it is cancelled, with its newest report.
func (a *Activities) Watch(ctx context.Context, in WatchInput) (Judged, error) {
	// Ended before its first look, it must answer what it went on from.
	last := Judged{State: in.State, Watched: in.Watched}
	var beat Judged
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &beat) == nil {
		last, in.State = beat, beat.State
		last.Checks = nil // words for people
	}
	if _, err := a.doubts(ctx, &a.blind.health); err != nil {
		return Judged{}, err
	}
	m, pace, err := a.evaluator(ctx, in.HealthInput)
	if err != nil {
		return Judged{}, err
	}
	w := watch{Activities: a, evaluator: m, in: in, pace: pace, last: last}
	return w.run(ctx)
}

// watch is one attempt of a Watch.
type watch struct {
	*Activities
	evaluator *health.Evaluator
	in        WatchInput
	pace      health.Pace
	last      Judged
}

// firstLook is how long after its start a watch looks first, at most.
const firstLook = 5 * time.Second

// first is how long after its start an attempt looks first: when the look is due that
// would have come after the newest one, whoever made that.
func (w *watch) first() time.Duration {
	first := min(w.pace.Every, firstLook)
	if newest := w.last.Watched.Until; !newest.IsZero() {
		first = min(first, max(0, newest.Add(w.pace.Every).Sub(w.Clock.Now())))
	}
	return first
}

// run looks at the pace of the checks. A heartbeat follows every look; between looks there
// is one only where they are far apart.
func (w *watch) run(ctx context.Context) (Judged, error) {
	quiet := liveEvery(ctx)
	beat, end := time.NewTicker(quiet), time.NewTimer(w.in.Until.Sub(w.Clock.Now()))
	defer beat.Stop()
	defer end.Stop()
	due := time.NewTimer(w.first())
	defer due.Stop()
	for {
		look := true
		select {
		case <-ctx.Done():
			return w.last, nil // cancelled: what was seen is the answer
		case <-activity.GetWorkerStopChannel(ctx):
			return Judged{}, errWorkerStops
		case <-beat.C:
			look = false
		case <-due.C:
		case <-end.C:
		}
		if now := w.Clock.Now(); look {
			due.Reset(w.pace.Every) // from the beginning of one look to that of the next
			if err := w.look(ctx, now, beat.C); err != nil {
				return w.last, nil // only a cancellation ends a look
			}
			if err := w.handOver(ctx, now); err != nil {
				return Judged{}, err
			}
			if !now.Before(w.in.Until) || w.last.Report.Verdict() == health.Fail || w.in.Settled(w.last) {
				return w.last, nil
			}
		}
		activity.RecordHeartbeat(ctx, w.last.inWords())
		beat.Reset(quiet)
	}
}

// inWords is what was seen, with words for who reads the heartbeat.
func (j Judged) inWords() Judged {
	j.Checks = j.Report.Words()
	return j
}

// handOver ends the attempt after a look that may be blind, so that another worker makes the
// next one. At its end a watch has the gate after it.
func (w *watch) handOver(ctx context.Context, now time.Time) error {
	r := w.last.Report
	if r.Unsure == "" {
		w.last.Doubt = doubt{}
		return nil
	}
	if !now.Before(w.in.Until) && r.Verdict() != health.Fail {
		return nil
	}
	next, ok := w.elsewhere(ctx, w.last.Doubt, &w.blind.health)
	if !ok {
		return nil
	}
	w.last.Doubt = next
	return w.handOn(ctx, r.Unsure, w.last)
}

// look looks once. As long as it lasts, signs of life tell a slow look from a process
// that stands still.
func (w *watch) look(ctx context.Context, at time.Time, beat <-chan time.Time) error {
	watched := w.last.Watched.Sign(at, w.pace)
	var report health.Report
	looked := make(chan error, 1)
	go func() {
		var err error
		report, err = w.evaluator.Look(ctx, at)
		looked <- err
	}()
	alive := time.NewTicker(w.pace.Every)
	defer alive.Stop()
	for {
		select {
		case <-alive.C:
			watched = watched.Sign(w.Clock.Now(), w.pace)
		case <-beat:
			activity.RecordHeartbeat(ctx, w.last.inWords())
		case err := <-looked:
			if err != nil {
				return err
			}
			report = report.MidBake(len(w.last.Report.Results) == 0)
			w.metrics.judged(w.evaluator.Unit(), report)
			watched = watched.Look(w.Clock.Now(), report.Saw(), w.pace)
			w.last = Judged{handed: w.last.handed, Report: report, State: w.evaluator.State(), Watched: watched}
			return nil
		}
	}
}

// Settled says that what was seen ends the watch, although there is no harm.
func (in WatchInput) Settled(j Judged) bool {
	r := j.Report
	if !r.Clear() || j.Watched.Missing(in.Bake) > 0 {
		return false
	}
	return in.Settle || !in.Enough.IsZero() && !r.At.Before(in.Enough) && r.Shown()
}

// Gate evaluates a stage for its gate, asking every exposed target and not a
// sample. While a check is in a breach that it still tolerates, it looks again
// at the checks' pace: the next looks decide.
func (a *Activities) Gate(ctx context.Context, in GateInput) (Judged, error) {
	m, pace, err := a.evaluator(ctx, in.HealthInput)
	if err != nil {
		return Judged{}, err
	}
	doubts, err := a.doubts(ctx, &a.blind.health)
	if err != nil {
		return Judged{}, err
	}
	defer living(ctx)()
	at, watched := in.At, in.Watched
	if a.Clock.Now().Sub(at) > pace.Every {
		at = a.Clock.Now()
	}
	for {
		report, err := m.LookAll(ctx, at)
		if err != nil {
			return Judged{}, err
		}
		a.metrics.judged(m.Unit(), report)
		if err := a.unsure(ctx, report.Unsure, doubts); err != nil {
			return Judged{}, err
		}
		watched = watched.Look(at, report.Saw(), pace)
		if !report.Pending() || pause.For(ctx, pace.Every) != nil {
			return Judged{Report: report, State: m.State(), Watched: watched}, ctx.Err()
		}
		at = a.Clock.Now()
	}
}

// Recover looks whether the checks that condemned a release recover after its rollback, and
// returns as soon as they have, whatever the other checks say then.
func (a *Activities) Recover(ctx context.Context, in RecoverInput) (Judged, error) {
	in.Recovering = true
	m, pace, err := a.evaluator(ctx, in.HealthInput)
	if err != nil {
		return Judged{}, err
	}
	doubts, err := a.doubts(ctx, &a.blind.health)
	if err != nil {
		return Judged{}, err
	}
	defer living(ctx)()
	limited, cancel := context.WithTimeout(ctx, max(in.Until.Sub(a.Clock.Now()), leastRecovery))
	defer cancel()
	last := Judged{Report: health.Report{At: a.Clock.Now(), Results: []health.Result{{
		Check: "judge", Verdict: health.NoData, Sentence: "no look was over in the time that the rollback has to recover",
	}}}}
	for {
		report, err := m.Look(limited, a.Clock.Now())
		if err == nil {
			last.Report = report
			if err := a.unsure(ctx, report.Unsure, doubts); err != nil {
				return Judged{}, err
			}
		}
		cured := report.Of(health.CheckNames(in.Condemned)).Verdict() == health.Pass
		if err != nil || cured || pause.For(limited, pace.Every) != nil {
			return last, ctx.Err()
		}
	}
}

// leastRecovery is how long it is looked at least, however late an attempt begins.
const leastRecovery = 2 * time.Second
