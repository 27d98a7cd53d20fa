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
	"github.com/sluicehq/sluice/internal/humanize"
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
}

// Evaluator reads one stage's numbers and judges them. It is not safe for concurrent
// use. Build it with Open.
type Evaluator struct {
	spec    spec.Health
	binding Binding
	driver  driver.Driver
	client  *http.Client
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	// source is what the stage as a whole is read from, and open readies another one for
	// some of its targets.
	source  source.Source
	open    func(source.Scope) (source.Source, error)
	streaks map[string]int
	last    time.Time // of the newest look that judged
	// comparisons are those checks that add up look by look, by name.
	comparisons map[string][]*comparison
	// means are those that compare means.
	means map[string]*meansCheck
}

// Open readies an Evaluator for a stage. The spec must be valid and complete. Its error
// says what of the spec or the fleet makes judging impossible.
func Open(h spec.Health, b Binding, d Deps) (*Evaluator, error) {
	if d.Driver == nil && !slices.Contains(h.Without, spec.CheckAlive) {
		return nil, errors.New("expected a driver, which the check \"alive\" asks")
	}
	m := &Evaluator{spec: h, binding: b, driver: d.Driver, streaks: map[string]int{}}
	m.client = newClient(d.Transport)
	if m.dial = d.Dial; m.dial == nil {
		m.dial = (&net.Dialer{}).DialContext
	}
	if err := m.ready(); err != nil {
		return nil, err
	}
	sources, err := sourceOf(h)
	if err != nil {
		return nil, err
	}
	m.open = func(s source.Scope) (source.Source, error) { return sources(h, s, source.Deps{Transport: d.Transport}) }
	if m.source, err = m.open(b.Scope); err != nil {
		return nil, err
	}
	if m.spec.Checks, err = expandHistograms(h.Checks, m.source); err != nil {
		return nil, err
	}
	m.openMeans()
	return m, m.openComparisons()
}

// Look reads and judges every check at a moment; of the exposed targets it asks a
// sample whether they are alive. Its error is only ctx's: trouble with data is a
// verdict.
func (m *Evaluator) Look(ctx context.Context, at time.Time) (Report, error) {
	return m.look(ctx, at, m.binding.few(aliveSample))
}

// LookAll is Look, but asks every exposed target whether it is alive.
func (m *Evaluator) LookAll(ctx context.Context, at time.Time) (Report, error) {
	return m.look(ctx, at, m.binding.Exposed)
}

const (
	// aliveSample is how many targets a look asks whether they are alive.
	aliveSample = 200
)

func (m *Evaluator) look(ctx context.Context, at time.Time, ask []fleet.Target) (Report, error) {
	report := Report{At: at}
	begin := m.binding.Since.Add(m.spec.Warmup.Std())
	w := source.Window{From: source.Later(begin, at.Add(-m.spec.Window.Std())), At: at}
	if quiet := m.binding.quiet(); m.unchanged() && quiet.After(w.From) {
		w.From = source.Later(w.From, quiet)
		if least := at.Add(-m.spec.Every.Std()); w.From.After(least) {
			w.From = least
		}
	}
	warming := at.Sub(begin) < m.spec.Every.Std()
	data, cancel := context.WithTimeout(ctx, source.LookLimit)
	defer cancel()
	m.source.Refresh(data, at, w.From)
	for _, s := range m.otherSources() {
		s.Refresh(data, at, w.From)
	}
	// A look just after another sees the same breach, not the next one in a row.
	again := at.Sub(m.last).Abs() < m.spec.Every.Std()/2
	if !warming {
		m.last = at
	}
	var asks []func() judged
	add := func(check string, f func() judged) {
		if warming {
			f = func() judged { return judged{Result: warmingUp(check, begin.Add(m.spec.Every.Std()))} }
		}
		asks = append(asks, f)
	}
	for _, c := range m.spec.Checks {
		add(c.Name, func() judged {
			return m.judge(ctx, data, c, lookInput{Window: w, ask: ask, streak: m.streak(c.Name, again)})
		})
	}
	if !slices.Contains(m.spec.Without, spec.CheckTraffic) {
		add(spec.CheckTraffic, func() judged { return judged{Result: m.traffic(data, w)} })
	}
	if !slices.Contains(m.spec.Without, spec.CheckAlive) { // its answer needs no warming up
		booting := at.Before(begin)
		asks = append(asks, func() judged { return m.alive(ctx, ask, booting, m.streak(spec.CheckAlive, again)) })
	}
	for i, res := range together(asks) {
		m.remember(res, again)
		if i < len(m.spec.Checks) {
			c := m.spec.Checks[i]
			idle := m.means[c.Name] != nil && m.means[c.Name].idle && res.Verdict == Unexercised
			res.Advisory, res.CanShow = c.Advisory || idle, m.binding.Adaptive != nil && (compares(c) || c.Means())
		}
		report.Results = append(report.Results, res.Result)
	}
	return report, ctx.Err()
}

// otherSources are those of checks that do not read the meter's own.
func (m *Evaluator) otherSources() []source.Source {
	var out []source.Source
	for _, c := range m.parts() {
		for _, s := range c.strata {
			out = append(out, s.source)
		}
	}
	return slices.DeleteFunc(out, func(s source.Source) bool { return s == m.source })
}

// together asks everything at once and answers in order. Sources bound what they
// do at a time.
func together(asks []func() judged) []judged {
	out := make([]judged, len(asks))
	var wg sync.WaitGroup
	for i, ask := range asks {
		wg.Go(func() { out[i] = ask() })
	}
	wg.Wait()
	return out
}

// remember keeps a check's streak of breaches. A look that cannot be judged
// neither lengthens nor ends it.
func (m *Evaluator) remember(res judged, again bool) {
	switch {
	case res.breach:
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
	return Result{Check: check, Verdict: Unexercised, Sentence: fmt.Sprintf("warming up, evidence counts from %s", until.UTC().Format("15:04:05 MST"))}
}

// sampled says so when an expression was read on some of the exposed targets.
func (m *Evaluator) sampled(expr string) string {
	if read, of := m.source.Coverage(expr, source.Exposed); read < of {
		return fmt.Sprintf(" [read on %s of %s targets]", humanize.Integer(float64(read)), humanize.Integer(float64(of)))
	}
	return ""
}

// ratio reads the bad and total events of one arm, of all its targets together.
func (m *Evaluator) ratio(ctx context.Context, c spec.Check, a source.Arm, w source.Window) ratio {
	return m.events(ctx, c, w, func(expr string, _ int, l source.OnEmpty) source.Reading { return m.source.Count(ctx, expr, a, w, l) })
}

// begin is since when evidence counts in a look; before anything was applied all of it
// does.
func (m *Evaluator) begin(at lookInput) time.Time {
	if m.unchanged() {
		return at.From
	}
	return m.binding.Since.Add(m.spec.Warmup.Std())
}
