package health

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/sequential"
)

// unlessShared blames nobody for targets that are down while targets without the release are down as well: a rack that
// lost its power has nothing to do with the change. The control is asked only where exposed targets failed.
func (m aliveCheck) unlessShared(ctx context.Context, j Judged, ailing []failure, asked int, wait time.Duration) Judged {
	control := source.Sample(m.binding.Control, aliveSample)
	for _, a := range ailing {
		if a.drifted {
			return j // it works, and runs something else
		}
	}
	if j.Verdict != Fail || len(control) == 0 || !fewDown(len(ailing), asked) {
		return j
	}
	var fenced atomic.Bool
	down, of := failures(ctx, control, len(control), wait, func(ctx context.Context, t fleet.Target) failure { return m.failureOf(ctx, t, "", &fenced) })
	if ctx.Err() != nil || !sharedOutage(len(ailing), asked, len(down), of) {
		return j
	}
	j.Verdict, j.Silent, j.Replaced = Unexercised, nil, nil
	j.Suspicion = fmt.Sprintf("%d of %d down, and %d of %d without the release", len(ailing), asked, len(down), of)
	j.Sentence += fmt.Sprintf("; %d of %d targets without the release are down as well: nothing tells whose doing it is", len(down), of)
	return j
}

// fewDown says that less than a third of the targets that were asked are down. More is never put down to chance.
func fewDown(down, asked int) bool { return 3*down < asked }

// sharedOutage says that the share of exposed targets that are down is no larger than that of the control but for chance:
// if all were equally likely to be down, so many of those that are would be exposed ones in more than one case in a hundred.
// Given how many are down, their split is binomial (Przyborowski and Wilenski, Biometrika 31, 1940).
func sharedOutage(down, asked, controlDown, controlAsked int) bool {
	if controlDown == 0 {
		return false
	}
	const chance = 0.01
	part := float64(asked) / float64(asked+controlAsked)
	return sequential.BinomialTail(float64(down), float64(down+controlDown), part) > chance
}
