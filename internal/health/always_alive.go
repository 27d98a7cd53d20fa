package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/pause"
	"github.com/sluicehq/sluice/internal/spec"
)

// Asking targets whether they are alive: how often one that does not is asked in a look, with what
// pause, and how many are asked at once: all that a look asks, so that those that hang keep no
// other waiting.
const (
	aliveAttempts = 3
	alivePause    = 500 * time.Millisecond
	askParallel   = aliveSample
)

// leastWait is how long a target is asked in a look, all attempts together, at least.
const leastWait = 2 * time.Second

// silentLooks is over how many looks at their pace targets must leave questions unanswered before
// that is harm: an agent that restarts, or a lost packet, is not the change's doing. Time counts,
// and two looks at least: looks at silent targets take longer than their pace.
const silentLooks = 3

// failure is what is wrong with a target.
type failure struct {
	id, why string
	// silent is set when the target did not answer at all, so that nothing is known, and forgot
	// when it runs another release and has forgotten the rollout's fence.
	silent, forgot bool
	whose          dial.Whose // trouble the silence is
}

// failures asks targets, several at once and each no longer than wait, and answers what is wrong
// with those that it asked: enough failures, or ctx's end, spare the others.
func failures(
	ctx context.Context, ask []fleet.Target, enough int, wait time.Duration, of func(context.Context, fleet.Target) failure,
) (found []failure, asked int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, askParallel)
	for _, t := range ask {
		slots <- struct{}{}
		mu.Lock()
		end := ctx.Err() != nil || len(found) >= enough
		mu.Unlock()
		if end {
			break
		}
		asked++
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := within(ctx, wait)
			defer cancel()
			if a := of(ctx, t); a.why != "" {
				mu.Lock()
				defer mu.Unlock()
				found = append(found, a)
			}
		})
	}
	wg.Wait()
	return found, asked
}

// aliveCheck asks targets whether they work and run the applied release. An answer that says
// otherwise is harm at once: the order was accepted and is not in effect, or the unit does not
// work, or somebody else has changed the target. Silence is harm when it lasts; while the targets
// may still be booting nothing is.
type aliveCheck struct{ *Stage }

// Judge asks those targets that the look asks.
func (m aliveCheck) Judge(ctx context.Context, at Look) Judged {
	ask, booting := at.Ask, at.At.Before(m.begin(at))
	// One time-out, and a little for its own words to arrive.
	wait := max(driver.Timeout(m.driver), leastWait) + alivePause/2
	var fenced atomic.Bool
	ailing, _ := failures(ctx, ask, len(ask), wait, func(ctx context.Context, t fleet.Target) failure { return m.failureOf(ctx, t, &fenced) })
	res := Result{Samples: float64(len(ask))}
	if ctx.Err() != nil || len(ask) == 0 {
		return res.without(source.NoData("", "nothing was asked"))
	}
	if len(ailing) > 0 {
		return judgeFailures(res, ailing, aliveContext{
			asked: len(ask), tolerated: m.binding.Silent, booting: booting,
			streak: at.Streak, lasted: at.Lasted, before: at.Before, every: m.spec.Every.Std(), fenced: fenced.Load(),
		})
	}
	res.Verdict = Pass
	who := fmt.Sprintf("all %d exposed targets work", len(ask))
	run := " and run "
	switch n := len(m.binding.Exposed); {
	case len(ask) < n:
		who = fmt.Sprintf("all %d asked of %d exposed targets work", len(ask), n)
	case n == 1:
		who, run = "the exposed target works", " and runs "
	}
	res.Sentence = who
	if release := m.binding.expected(); release != "" {
		res.Sentence += run + source.Cut(release, maxRelease)
	}
	return Judged{Result: res}
}

// maxRelease is how much of a release a sentence shows: the name of a bundle is whole.
const maxRelease = 80

// expected is the release that exposed targets must run; empty when anything will do. The rollback
// itself has seen what those run that were taken back.
func (b Binding) expected() string {
	if b.Recovering {
		return ""
	}
	return b.Release
}

// aliveContext is what a verdict on ailing targets depends on beside them.
type aliveContext struct {
	asked     int
	tolerated int           // how many may be silent
	booting   bool          // warming up
	streak    int           // how many looks in a row ended so already
	lasted    time.Duration // since the first of them
	before    LookCount     // all looks before this one
	every     time.Duration // between two looks
	fenced    bool          // targets keep fences
}

// brief says that silence has not lasted long enough to be harm. Looks may come a little early.
func (c aliveContext) brief() bool {
	return c.streak == 0 || c.lasted < (silentLooks-1)*c.every*9/10
}

// maxSilent bounds how many tolerated targets a result names.
const maxSilent = 1000

// judgeFailures is the verdict when something is wrong with some targets. It is pure.
func judgeFailures(res Result, ailing []failure, c aliveContext) Judged {
	var words, ids []string
	silent := true
	for _, a := range ailing {
		words, ids = append(words, a.id+" "+a.why), append(ids, a.id)
		silent = silent && a.silent
	}
	slices.Sort(words)
	slices.Sort(ids)
	res.Sentence = fmt.Sprintf("%d of %d exposed targets: %s", len(ailing), c.asked, named(words))
	own := ownOf(ailing, c.asked)
	if silent {
		res.Unsure = words[0]
	}
	switch {
	case silent && own != "":
		return unasked(res, own)
	case silent && len(ailing) <= c.tolerated:
		res.Unsure = ""
		res.Verdict, res.Silent = Pass, ids[:min(len(ids), maxSilent)]
		res.Sentence += fmt.Sprintf("; up to %d are tolerated", c.tolerated)
		return Judged{Result: res}
	case c.booting:
		res.Unsure = ""
		res.Verdict = Unexercised
		res.Sentence += "; still warming up"
		return Judged{Result: res}
	case silent && c.before.again(silentLooks):
		res.Verdict = Fail
		res.Silent, _ = excusable(ailing, c.fenced)
		res.Sentence += c.before.words()
	case silent && c.brief():
		res.Verdict, res.Pending = Unexercised, true
		res.Suspicion = fmt.Sprintf("silent for %s of %s", tenths(c.lasted), tenths((silentLooks-1)*c.every))
		res.Sentence += fmt.Sprintf("; silent for %s, %s are harm", tenths(c.lasted), tenths((silentLooks-1)*c.every))
	default:
		res.Verdict = Fail
		res.Silent, res.Replaced = excusable(ailing, c.fenced)
	}
	return Judged{Result: res, Breach: true}
}

// excusable are the targets that a check failed for, where none of them says that the change did
// it: they are silent, or were replaced. Fenced says that targets keep fences, so that one without
// is new.
func excusable(ailing []failure, fenced bool) (silent, replaced []string) {
	for _, a := range ailing {
		switch {
		case a.silent:
			silent = append(silent, a.id)
		case a.forgot && fenced:
			replaced = append(replaced, a.id)
		default:
			return nil, nil
		}
	}
	slices.Sort(silent)
	slices.Sort(replaced)
	return silent[:min(len(silent), maxSilent)], replaced[:min(len(replaced), maxSilent)]
}

// failureOf says what is wrong with a target; its why is empty if nothing is. It notes whether the
// target keeps the rollout's fence.
func (m aliveCheck) failureOf(ctx context.Context, t fleet.Target, fenced *atomic.Bool) failure {
	release := m.binding.expected()
	for n := 1; ; n++ {
		s, err := m.driver.Observe(ctx, t, m.binding.Unit)
		if err == nil && m.binding.Fence > 0 && s.Fence >= m.binding.Fence {
			fenced.Store(true)
		}
		if err == nil && release != "" && s.Release != release {
			runs, should := driver.Differ(m.driver, s.Release, release)
			return failure{
				id: t.ID, why: fmt.Sprintf("runs %q instead of %q", source.Cut(runs, maxRelease), should), forgot: s.Fence < m.binding.Fence,
			}
		}
		if err == nil && (s.Alive || s.Release == "" && release == "") {
			return failure{}
		}
		if n < aliveAttempts && pause.For(ctx, alivePause) == nil {
			continue // it may just be restarting
		}
		if errors.Is(err, driver.ErrOther) {
			return failure{id: t.ID, why: "cannot be asked (" + source.Cut(err.Error(), 120) + ")"}
		}
		if err != nil {
			why := "does not answer"
			if errors.Is(err, driver.ErrAnswer) {
				why = "answers, and not as it should"
			}
			return failure{id: t.ID, why: why + " (" + source.Cut(err.Error(), 120) + ")", silent: true, whose: dial.Blame(err)}
		}
		why := "is not alive"
		if s.Detail != "" {
			why += " (" + source.Cut(s.Detail, 120) + ")"
		}
		return failure{id: t.ID, why: why}
	}
}

func tenths(d time.Duration) spec.Duration { return spec.Duration(d.Round(time.Second / 10)) }

// listed names so many of all, at most.
func listed(all []string, most int) string {
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}

// named lists a few of many things.
func named(all []string) string {
	const few = 5
	if len(all) <= few {
		return strings.Join(all, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(all[:few], "; "), len(all)-few)
}
