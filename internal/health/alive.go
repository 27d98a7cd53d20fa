package health

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// Asking targets whether they are alive: how often one that does not is asked in a
// look, with what pause, and how many are asked at once.
const (
	aliveAttempts = 3
	alivePause    = 500 * time.Millisecond
	aliveParallel = 100
)

// alive asks targets whether they work and run the applied release. Another
// release is harm at once: the order was accepted and is not in effect, or somebody
// else has changed the target.
func (m *Meter) alive(ctx context.Context, ask []fleet.Target) Result {
	var mu sync.Mutex
	var wrong []string
	slots := make(chan struct{}, aliveParallel)
	var wg sync.WaitGroup
	for _, t := range ask {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if why := m.trouble(ctx, t); why != "" {
				mu.Lock()
				defer mu.Unlock()
				wrong = append(wrong, t.ID+" "+why)
			}
		})
	}
	wg.Wait()
	res := Result{Check: spec.CheckAlive, Samples: float64(len(ask))}
	switch {
	case ctx.Err() != nil || len(ask) == 0:
		res.Verdict, res.Sentence = NoData, "nothing was asked"
	case len(wrong) > 0:
		slices.Sort(wrong)
		res.Verdict = Fail
		res.Sentence = fmt.Sprintf("%d of %d exposed targets: %s", len(wrong), len(ask), named(wrong))
	default:
		res.Verdict = Pass
		res.Sentence = fmt.Sprintf("all %d exposed targets work and run %s", len(ask), cut(m.binding.Release, 60))
		if n := len(m.binding.Exposed); len(ask) < n {
			res.Sentence = fmt.Sprintf("all %d asked of %d exposed targets work and run %s", len(ask), n, cut(m.binding.Release, 60))
		}
	}
	return res
}

// trouble says what is wrong with a target; empty if nothing.
func (m *Meter) trouble(ctx context.Context, t fleet.Target) string {
	for n := 1; ; n++ {
		s, err := m.driver.Observe(ctx, t, m.binding.Unit)
		if err == nil && s.Release != m.binding.Release {
			return fmt.Sprintf("runs %q instead of %q", cut(s.Release, 60), m.binding.Release)
		}
		if err == nil && s.Alive {
			return ""
		}
		if n < aliveAttempts && pause(ctx, alivePause) == nil {
			continue // it may just be restarting
		}
		if err != nil {
			return "does not answer (" + cut(err.Error(), 120) + ")"
		}
		return "is not alive (" + cut(s.Detail, 120) + ")"
	}
}
