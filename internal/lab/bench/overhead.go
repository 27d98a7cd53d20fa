package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health"
	"github.com/sluicehq/sluice/internal/lab/table"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
)

// unjudged are the real activities, but that judging answers PASS at once: what a rollout costs is
// looked for, not what its checks do.
type unjudged struct{ *activities.Activities }

// Baseline measures nothing.
func (unjudged) Baseline(context.Context, activities.BaselineInput) (health.Baseline, error) {
	return health.Baseline{}, nil
}

// Preflight finds all well.
func (unjudged) Preflight(ctx context.Context, _ activities.PreflightInput) (health.Report, error) {
	return passed(time.Now(), health.Watched{}).Report, ctx.Err()
}

// Gate passes.
func (unjudged) Gate(ctx context.Context, in activities.GateInput) (activities.StageReport, error) {
	return passed(in.At, in.Watched), ctx.Err()
}

// passed is a report in which every check passes, of a stage that was watched all the time.
func passed(at time.Time, w health.Watched) activities.StageReport {
	w.For = w.Most
	return activities.StageReport{Watched: w, Report: health.Report{At: at, Results: []health.Result{
		{Check: "bench", Verdict: health.Pass, Sentence: "nothing was asked"},
	}}}
}

// overheadStages is how many stages the measured rollouts have.
const overheadStages = 5

// measureOverhead compares rollouts with a workflow that runs the same activities with the same
// inputs, in turns, on the same server and worker.
func measureOverhead(ctx context.Context, o options) (*table.Table, error) {
	r, err := newRig(ctx, o)
	defer r.close()
	if err != nil {
		return nil, err
	}
	t := &table.Table{
		Title: "Orchestration: a rollout against a bare workflow with the same activities",
		Head:  []string{"targets", "activities", "rollout, ms per stage", "bare workflow, ms per stage", "difference, ms per stage", "ratio"},
	}
	t.Note("%d stages, no bake, real observing and applying over HTTP; judging answers PASS at once. %s", overheadStages, o.medians())
	const most = 5000
	if err := r.Simulate(ctx, most, unit, before, "--rps-per-target", "1"); err != nil {
		return nil, err
	}
	all, err := r.Fleet()
	if err != nil {
		return nil, err
	}
	if err := r.work(&unjudged{r.activities()}); err != nil {
		return nil, err
	}
	release := 0
	for _, targets := range []int{overheadStages, 500, most} {
		f := fleet.Fleet{Targets: all.Targets[:targets]}
		var rollouts, bares []float64
		n := 0
		for i := 0; o.more(i); i++ {
			release++
			h, b, err := r.besideBare(ctx, fmt.Sprintf("2.%d.0", release), f)
			if err != nil {
				return nil, err
			}
			if i == 0 { // warms up connections, caches and the server's pages
				continue
			}
			n = 0
			for _, s := range h.steps() {
				n += len(s.Inputs)
			}
			rollouts = append(rollouts, perStage(h))
			bares = append(bares, perStage(b))
		}
		extra := make([]float64, len(rollouts))
		for i := range extra {
			extra[i] = rollouts[i] - bares[i]
		}
		t.Add(fmt.Sprint(targets), fmt.Sprint(n), spread(rollouts, "%.1f"), spread(bares, "%.1f"),
			spread(extra, "%.1f"), spread(ratios(rollouts, bares), "%.2f"))
	}
	return t, nil
}

// besideBare rolls a release out, and then has a bare workflow run the same activities.
func (r *rig) besideBare(ctx context.Context, release string, f fleet.Fleet) (rolled, bare history, err error) {
	s, err := stagesOf(overheadStages, release)
	if err != nil {
		return rolled, bare, err
	}
	if rolled, err = r.rollout(ctx, s, f); err != nil {
		return rolled, bare, err
	}
	bare, err = r.bare(ctx, rolled.steps())
	return rolled, bare, err
}

func perStage(h history) float64 { return float64(h.took().Microseconds()) / 1000 / overheadStages }

// stagesOf is a spec of stages of the same size that do not bake.
func stagesOf(n int, release string) (spec.Spec, error) {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  - {name: s%d, reach: %d%%, bake: 1s}\n", i+1, 100*(i+1)/n)
	}
	s, err := specOf(unit, release, "http: {}", b.String(), "scrape: {}, every: 100ms")
	for i := range s.Stages {
		s.Stages[i].Bake = 0 // what a spec may not say
	}
	return s, err
}

// rollout runs one to its end.
func (r *rig) rollout(ctx context.Context, s spec.Spec, f fleet.Fleet) (history, error) {
	run, err := r.start(ctx, s, f)
	if err != nil {
		return history{}, err
	}
	if err := result(ctx, run, rollout.PhasePromoted); err != nil {
		return history{}, err
	}
	return historyOf(ctx, r.client, run)
}

// bare runs the steps of a rollout again, in a bare workflow.
func (r *rig) bare(ctx context.Context, steps []step) (history, error) {
	run, err := r.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: connect.TaskQueue}, bare, steps)
	if err != nil {
		return history{}, err
	}
	if err := run.Get(ctx, nil); err != nil {
		return history{}, err
	}
	return historyOf(ctx, r.client, run)
}
