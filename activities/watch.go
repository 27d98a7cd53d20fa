package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/sluicehq/sluice/internal/health"
)

// errWorkerStops sends a watch to another worker.
var errWorkerStops = errors.New("this worker stops; the watch goes on elsewhere")

// Watch looks at a stage every spec.Health.Every, and returns as soon as a look is FAIL; with
// UntilPass, also when one is clear, and from Enough on when one has shown enough. Otherwise it
// ends at Until, or when it is cancelled, with its newest report.
func (a *Activities) Watch(ctx context.Context, in WatchInput) (StageReport, error) {
	// Ended before its first look, it must answer what it went on from.
	last := StageReport{State: in.State, Watched: in.Watched}
	var beat StageReport
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &beat) == nil {
		last, in.State = beat, beat.State
		last.Checks = nil // words for people
	}
	if _, err := a.doubts(ctx, &a.blind.health); err != nil {
		return StageReport{}, err
	}
	m, pace, err := a.evaluator(ctx, in.HealthInput)
	if err != nil {
		return StageReport{}, err
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
	last      StageReport
}

// firstLook is how long after its start a watch looks first, at most.
const firstLook = 5 * time.Second

// first is how long after its start an attempt looks first: when the look is due that would have
// come after the newest one, whoever made that.
func (w *watch) first() time.Duration {
	first := min(w.pace.Every, firstLook)
	if newest := w.last.Watched.Until; !newest.IsZero() {
		first = min(first, max(0, newest.Add(w.pace.Every).Sub(w.Clock.Now())))
	}
	return first
}

// run looks at the pace of the checks. A heartbeat follows every look; between looks there is one
// only where they are far apart.
func (w *watch) run(ctx context.Context) (StageReport, error) {
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
			return StageReport{}, errWorkerStops
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
				return StageReport{}, err
			}
			if !now.Before(w.in.Until) || w.last.Report.Verdict() == health.Fail || w.in.Ends(w.last) {
				return w.last, nil
			}
		}
		activity.RecordHeartbeat(ctx, w.last.inWords())
		beat.Reset(quiet)
	}
}

// inWords is what was seen, with words for who reads the heartbeat.
func (j StageReport) inWords() StageReport {
	j.Checks = j.Report.Words()
	return j
}

// handOver ends the attempt after a look that may be blind, so that another worker makes the next
// one. At its end a watch has the gate after it.
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

// look looks once. As long as it lasts, signs of life tell a slow look from a process that stands
// still.
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
			w.last = StageReport{handed: w.last.handed, Report: report, State: w.evaluator.State(), Watched: watched}
			return nil
		}
	}
}

// Ends says that what was seen ends the watch, although there is no harm.
func (in WatchInput) Ends(j StageReport) bool {
	r := j.Report
	if !r.Clear() || j.Watched.Missing(in.Bake) > 0 {
		return false
	}
	return in.UntilPass || !in.Enough.IsZero() && !r.At.Before(in.Enough) && r.Shown()
}
