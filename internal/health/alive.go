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

// silentLooks is how many looks in a row targets must leave unanswered before that
// is harm: an agent that restarts, or a lost packet, is not the change's doing.
const silentLooks = 3

// ailment is what is wrong with a target.
type ailment struct {
	id, why string
	// silent is set when the target did not answer at all, so that nothing is known.
	silent bool
}

// alive asks targets whether they work and run the applied release. An answer that
// says otherwise is harm at once: the order was accepted and is not in effect, or
// the unit does not work, or somebody else has changed the target. Silence is harm
// when it lasts; while the targets may still be booting nothing is.
func (m *Meter) alive(ctx context.Context, ask []fleet.Target, booting bool, streak int) judged {
	var mu sync.Mutex
	var ailing []ailment
	slots := make(chan struct{}, aliveParallel)
	var wg sync.WaitGroup
	for _, t := range ask {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if a := m.ailment(ctx, t); a.why != "" {
				mu.Lock()
				defer mu.Unlock()
				ailing = append(ailing, a)
			}
		})
	}
	wg.Wait()
	res := Result{Check: spec.CheckAlive, Samples: float64(len(ask))}
	if ctx.Err() != nil || len(ask) == 0 {
		res.Verdict, res.Sentence = NoData, "nothing was asked"
		return judged{Result: res}
	}
	if len(ailing) > 0 {
		return judgeAilments(res, ailing, len(ask), booting, streak)
	}
	res.Verdict = Pass
	res.Sentence = fmt.Sprintf("all %d exposed targets work and run %s", len(ask), cut(m.binding.Release, 60))
	if n := len(m.binding.Exposed); len(ask) < n {
		res.Sentence = fmt.Sprintf("all %d asked of %d exposed targets work and run %s", len(ask), n, cut(m.binding.Release, 60))
	}
	return judged{Result: res}
}

// judgeAilments is the verdict when something is wrong with some targets. It is
// pure: streak is how many looks in a row ended so already.
func judgeAilments(res Result, ailing []ailment, asked int, booting bool, streak int) judged {
	var words []string
	silent := true
	for _, a := range ailing {
		words = append(words, a.id+" "+a.why)
		silent = silent && a.silent
	}
	slices.Sort(words)
	res.Sentence = fmt.Sprintf("%d of %d exposed targets: %s", len(ailing), asked, named(words))
	switch {
	case booting:
		res.Verdict = Unexercised
		res.Sentence += "; still warming up"
		return judged{Result: res}
	case silent && streak+1 < silentLooks:
		res.Verdict, res.Pending = Unexercised, true
		res.Sentence += fmt.Sprintf("; look %d, %d in a row are harm", streak+1, silentLooks)
	default:
		res.Verdict = Fail
	}
	return judged{Result: res, breach: true}
}

// ailment says what is wrong with a target; its why is empty if nothing is.
func (m *Meter) ailment(ctx context.Context, t fleet.Target) ailment {
	for n := 1; ; n++ {
		s, err := m.driver.Observe(ctx, t, m.binding.Unit)
		if err == nil && s.Release != m.binding.Release {
			return ailment{id: t.ID, why: fmt.Sprintf("runs %q instead of %q", cut(s.Release, 60), m.binding.Release)}
		}
		if err == nil && s.Alive {
			return ailment{}
		}
		if n < aliveAttempts && pause(ctx, alivePause) == nil {
			continue // it may just be restarting
		}
		if err != nil {
			return ailment{id: t.ID, why: "does not answer (" + cut(err.Error(), 120) + ")", silent: true}
		}
		return ailment{id: t.ID, why: "is not alive (" + cut(s.Detail, 120) + ")"}
	}
}
