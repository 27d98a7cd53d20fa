package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// Binding says whom the checks are about: one stage of one rollout.
type Binding struct {
	source.Scope
	// Silent is how many exposed targets may leave questions unanswered.
	Silent int
	// Before is what was measured before the stage.
	Before Baseline
	// Bake is how long the stage is watched, as planned, and Adaptive when it may end
	// earlier; nil when it may not.
	Bake     time.Duration
	Adaptive *spec.Adaptive
	// Stages is how many stages share the rate of false rollbacks; 0 counts as 1.
	Stages int
	// Recovering asks whether targets that were taken back are well again: no harm is
	// not enough.
	Recovering bool
}

// Deps are what an Evaluator reads through.
type Deps struct {
	// Driver answers whether targets are alive.
	Driver driver.Driver
	// Transport carries requests to sources, and to whoever else checks ask; nil is
	// http.DefaultTransport.
	Transport http.RoundTripper
	// Dial opens connections for probes; nil is net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Sources and Forms are what a spec can name in this build.
	Sources source.Kinds
	Forms   Forms
}

// Evaluator reads one stage's numbers and judges them. It is not safe for concurrent
// use. Build it with Open.
type Evaluator struct {
	stage   *Stage
	checks  []openCheck // in the order of the spec
	streaks map[string]int
	last    time.Time // of the newest look that judged
}

// Open readies an Evaluator for a stage. The spec must be valid and complete. Its error
// says what of the spec or the fleet makes judging impossible.
func Open(h spec.Health, b Binding, d Deps) (*Evaluator, error) {
	if d.Driver == nil && !slices.Contains(h.Without, spec.CheckAlive) {
		return nil, errors.New("expected a driver, which the check \"alive\" asks")
	}
	s := &Stage{spec: h, binding: b, driver: d.Driver, client: newClient(d.Transport), dial: d.Dial}
	if s.dial == nil {
		s.dial = (&net.Dialer{}).DialContext
	}
	s.open = func(scope source.Scope) (source.Source, error) {
		return d.Sources.Open(h, scope, source.Deps{Transport: d.Transport})
	}
	var err error
	if s.source, err = s.open(b.Scope); err != nil {
		return nil, err
	}
	if s.spec.Checks, err = expandHistograms(h.Checks, s.source); err != nil {
		return nil, err
	}
	m := &Evaluator{stage: s, streaks: map[string]int{}}
	for _, c := range s.spec.Checks {
		one := openCheck{spec: c, form: d.Forms.of(c)}
		if one.Check, err = one.form.Open(s, c); err != nil {
			return nil, fmt.Errorf("check %q: %w", c.Name, err)
		}
		m.checks = append(m.checks, one)
	}
	return m, nil
}

// keepers are the checks that add up what they saw, by name.
func (m *Evaluator) keepers() map[string]keeper {
	out := map[string]keeper{}
	for _, c := range m.checks {
		if k, ok := c.Check.(keeper); ok {
			out[c.spec.Name] = k
		}
	}
	return out
}

// Look reads and judges every check at a moment; of the exposed targets it asks a
// sample whether they are alive. Its error is only ctx's: trouble with data is a
// verdict.
func (m *Evaluator) Look(ctx context.Context, at time.Time) (Report, error) {
	return m.look(ctx, at, m.stage.binding.few(aliveSample))
}

// LookAll is Look, but asks every exposed target whether it is alive.
func (m *Evaluator) LookAll(ctx context.Context, at time.Time) (Report, error) {
	return m.look(ctx, at, m.stage.binding.Exposed)
}

const (
	// aliveSample is how many targets a look asks whether they are alive.
	aliveSample = 200
)

func (m *Evaluator) look(ctx context.Context, at time.Time, ask []fleet.Target) (Report, error) {
	report, s := Report{At: at}, m.stage
	begin := s.binding.Since.Add(s.spec.Warmup.Std())
	w := s.window(at, begin)
	warming := at.Sub(begin) < s.spec.Every.Std()
	data, cancel := context.WithTimeout(ctx, source.LookLimit)
	defer cancel()
	s.source.Refresh(data, at, w.From)
	for _, k := range m.keepers() {
		for _, other := range k.sources() {
			other.Refresh(data, at, w.From)
		}
	}
	// A look just after another sees the same breach, not the next one in a row.
	again := at.Sub(m.last).Abs() < s.spec.Every.Std()/2
	if !warming {
		m.last = at
	}
	var asks []func() Judged
	add := func(check string, f func() Judged) {
		if warming {
			f = func() Judged { return Judged{Result: warmingUp(check, begin.Add(s.spec.Every.Std()))} }
		}
		asks = append(asks, f)
	}
	for _, c := range m.checks {
		add(c.spec.Name, func() Judged {
			return c.judge(ctx, data, s, Look{Window: w, Ask: ask, Streak: m.streak(c.spec.Name, again)})
		})
	}
	if !slices.Contains(s.spec.Without, spec.CheckTraffic) {
		add(spec.CheckTraffic, func() Judged { return Judged{Result: s.traffic(data, w)} })
	}
	if !slices.Contains(s.spec.Without, spec.CheckAlive) { // its answer needs no warming up
		booting := at.Before(begin)
		asks = append(asks, func() Judged { return s.alive(ctx, ask, booting, m.streak(spec.CheckAlive, again)) })
	}
	for i, res := range together(asks) {
		m.remember(res, again)
		if i < len(m.checks) {
			_, keeps := m.checks[i].Check.(keeper)
			res.Advisory = res.Advisory || m.checks[i].spec.Advisory
			res.CanShow = s.binding.Adaptive != nil && keeps
		}
		report.Results = append(report.Results, res.Result)
	}
	return report, ctx.Err()
}

// together asks everything at once and answers in order. Sources bound what they
// do at a time.
func together(asks []func() Judged) []Judged {
	out := make([]Judged, len(asks))
	var wg sync.WaitGroup
	for i, ask := range asks {
		wg.Go(func() { out[i] = ask() })
	}
	wg.Wait()
	return out
}

// remember keeps a check's streak of breaches. A look that cannot be judged
// neither lengthens nor ends it.
func (m *Evaluator) remember(res Judged, again bool) {
	switch {
	case res.Breach:
		m.streaks[res.Check] = m.streak(res.Check, again) + 1
	case res.Verdict == Pass:
		delete(m.streaks, res.Check)
	}
}

// streak is how many breaches in a row came before this look.
func (m *Evaluator) streak(check string, again bool) int {
	if n := m.streaks[check]; n > 0 && again {
		return n - 1
	}
	return m.streaks[check]
}

func warmingUp(check string, until time.Time) Result {
	return Result{
		Check:    check,
		Verdict:  Unexercised,
		Sentence: fmt.Sprintf("warming up, evidence counts from %s", until.UTC().Format("15:04:05 MST")),
	}
}
