package activities

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/driver"
)

// SurveyInput asks which targets of a batch run the plan's release, whoever put it there.
type SurveyInput struct {
	Batch
	// Fence is the rollout's.
	Fence int64 `json:"fence"`
	// Within is how long targets are asked.
	Within time.Duration `json:"within"`
}

// Surveyed is the answer to a SurveyInput.
type Surveyed struct {
	// On are the ids of the targets that run the release, or a part of it by an order of this
	// rollout, sorted as the batch is. Own is how many of them have it from this rollout: its fence
	// says so, whatever its history knows.
	On  []string `json:"on,omitempty"`
	Own int      `json:"own,omitempty"`
	// Others is how many run each other release; empty is that nothing is installed.
	Others map[string]int `json:"others,omitempty"`
	// Silent names those that did not answer, or were not asked in time.
	Silent []Trouble `json:"silent,omitempty"`
}

// surveyAttempts is how often a target is asked: a lost packet is not silence.
const surveyAttempts = 2

// Survey asks targets what they run, and changes nothing. That some do not answer rests on two
// workers, where there are two.
func (a *Activities) Survey(ctx context.Context, in SurveyInput) (Surveyed, error) {
	p, d, doubts, err := a.openTo(ctx, in.Plan)
	if err != nil {
		return Surveyed{}, err
	}
	targets := in.targets(p)
	found := make([]driver.State, len(targets))
	work := &progress{done: make([]bool, len(targets))}
	stop := living(ctx)
	began := time.Now()
	nobody := a.nobodyAnswers(ctx, &work.reach, doubts, in.Parallel)
	over := func() bool { return time.Since(began) > in.Within || nobody() }
	each(ctx, len(targets), in.Parallel, over, func(i int) {
		s, err := retry(ctx, surveyAttempts, func() (driver.State, error) { return d.Observe(ctx, targets[i], p.Spec.Unit) })
		found[i] = s
		work.heard(i, targets[i], err, true)
	})
	stop()
	if err := ctx.Err(); err != nil {
		return Surveyed{}, err
	}
	if err := a.doubtful(ctx, &work.reach, doubts, work.silentBeyond(0), func(d doubt) any { return handed{d} }); err != nil {
		return Surveyed{}, err
	}
	out := Surveyed{Others: map[string]int{}, Silent: work.trouble}
	silent := make(map[string]bool, len(out.Silent))
	for _, t := range out.Silent {
		silent[t.ID] = true
	}
	for i, t := range targets {
		switch {
		case !work.done[i] && !silent[t.ID]:
			out.Silent = append(out.Silent, Trouble{ID: t.ID, Reason: "was not asked in time", Silent: true})
		case !work.done[i]:
		case !on(d, found[i], p.Spec.Release, in.Fence):
			out.Others[found[i].Release]++
		default:
			out.On = append(out.On, t.ID)
			if found[i].Fence == in.Fence {
				out.Own++
			}
		}
	}
	out.Silent = capReasons(out.Silent)
	return out, nil
}

// on says that a target runs a release or, by an order with a fence, a part of it.
func on(d driver.Driver, s driver.State, release string, fence int64) bool {
	return s.Release == release || s.Fence == fence && driver.Holds(d, s.Release, release, "")
}
