package health

import (
	"cmp"
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
	// Fence is the rollout's, which exposed targets keep that keep one; zero asks nothing.
	Fence int64
	// Before is what was measured before the stage.
	Before Baseline
	// Bake is how long the stage is watched, as planned, and Adaptive when it may end earlier; nil
	// when it may not.
	Bake     time.Duration
	Adaptive *spec.Adaptive
	// Hold is how much longer a stage without a verdict is watched before it is judged as if
	// nothing would be learnt any more.
	Hold time.Duration
	// Stages is how many stages share the rate of false rollbacks; 0 counts as 1.
	Stages int
	// Recovering asks whether targets that were taken back are well again: no harm is not enough.
	Recovering bool
	// Condemned are the checks that failed before that, and by how much.
	Condemned []Condemned
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
	// Now is the clock that looks are dated by; nil where nobody compares it with the clocks of
	// those who are asked.
	Now func() time.Time
	// Sources and Forms are what a spec can name in this build.
	Sources source.Registry
	Forms   Forms
}

// Evaluator reads one stage's numbers and judges them. It is not safe for concurrent use. Build it
// with Open.
type Evaluator struct {
	stage      *Stage
	checks     []openCheck // in the order of the spec, then those that are always on
	streaks    map[string]int
	since      map[string]time.Time // when the first look of a streak was
	lookCounts map[string]LookCount
	last       time.Time // of the newest look that judged
	heard      *heard
}

// Open readies an Evaluator for a stage. The spec must be valid and complete. Its error says what
// of the spec or the fleet makes judging impossible.
func Open(h spec.Health, b Binding, d Deps) (*Evaluator, error) {
	if d.Driver == nil && !slices.Contains(h.Without, spec.CheckAlive) {
		return nil, errors.New("expected a driver, which the check \"alive\" asks")
	}
	noted := &heard{}
	b.Shown, b.Baseline = b.Before.Shown, source.Window{From: b.Before.From, At: b.Before.At}
	s := &Stage{
		spec: h, binding: b, driver: d.Driver,
		transport: noted.via(d.Transport, false), dial: d.Dial, now: d.Now,
		language: d.Sources.Language(h),
	}
	if s.dial == nil {
		s.dial = (&net.Dialer{}).DialContext
	}
	s.open = func(scope source.Scope) (source.Source, error) {
		return d.Sources.Open(h, scope, source.Deps{Transport: noted.via(d.Transport, true), Now: d.Now})
	}
	var err error
	if s.source, err = s.open(b.Scope); err != nil {
		return nil, err
	}
	if s.spec.Checks, err = expandHistograms(h.Checks, s.source); err != nil {
		return nil, err
	}
	m := &Evaluator{stage: s, streaks: map[string]int{}, since: map[string]time.Time{}, lookCounts: map[string]LookCount{}, heard: noted}
	for _, c := range s.spec.Checks {
		one := openCheck{spec: c, form: d.Forms.of(c)}
		if one.Check, err = one.form.Open(s, c); err != nil {
			return nil, fmt.Errorf("check %q: %w", c.Name, err)
		}
		m.checks = append(m.checks, one)
	}
	if !slices.Contains(h.Without, spec.CheckTraffic) {
		m.checks = append(m.checks, openCheck{Check: trafficCheck{s}, spec: spec.Check{Name: spec.CheckTraffic}})
	}
	if !slices.Contains(h.Without, spec.CheckAlive) {
		m.checks = append(m.checks, openCheck{Check: aliveCheck{s}, spec: spec.Check{Name: spec.CheckAlive}, form: Form{Slow: true}, early: true})
	}
	return m, nil
}

// Unit is whose rollout it judges.
func (m *Evaluator) Unit() string { return m.stage.binding.Unit }

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

// Look reads and judges every check at a moment; of the exposed targets it asks a sample whether
// they are alive. Its error is only ctx's: trouble with data is a verdict.
func (m *Evaluator) Look(ctx context.Context, at time.Time) (Report, error) {
	return m.look(ctx, at, m.stage.binding.few(aliveSample))
}

// LookAll is Look, but asks every exposed target whether it is alive.
func (m *Evaluator) LookAll(ctx context.Context, at time.Time) (Report, error) {
	return m.look(ctx, at, m.stage.binding.Exposed)
}

// aliveSample is how many targets a look asks whether they are alive.
const aliveSample = 200

func (m *Evaluator) look(ctx context.Context, at time.Time, ask []fleet.Target) (Report, error) {
	report, s := Report{At: at}, m.stage
	begin := s.binding.Since.Add(s.spec.Warmup.Std())
	w := s.window(at, begin)
	warming := at.Sub(begin) < s.spec.Every.Std()
	data, cancel := context.WithTimeout(ctx, source.LookLimit(s.spec))
	defer cancel()
	m.heard.begin()
	read := make(chan struct{})
	go func() {
		defer close(read)
		m.refresh(data, at, w.From)
	}()
	// A look just after another sees the same breach, not the next one in a row.
	again := at.Sub(m.last).Abs() < s.spec.Every.Std()/2
	if !warming {
		m.last = at
	}
	var asks []func() Judged
	for _, c := range m.checks {
		asks = append(asks, func() Judged {
			if warming && !c.early {
				until := begin.Add(s.spec.Every.Std()).UTC().Format("15:04:05 MST")
				return Result{Check: c.spec.Name}.without(source.Reading{Verdict: Unexercised, Why: "warming up, evidence counts from " + until})
			}
			l := Look{Window: w, Ask: ask, Streak: m.streak(c.spec.Name, again), Before: m.lookCounts[c.spec.Name]}
			if l.Streak > 0 {
				l.Lasted = max(0, at.Sub(m.since[c.spec.Name]))
			}
			res := c.judge(ctx, data, read, s, l)
			if res.Verdict == Fail && !c.spec.Advisory { // the way back does not wait for a source
				time.AfterFunc(afterHarm, cancel)
			}
			return res
		})
	}
	results := together(asks)
	<-read
	for i, res := range results {
		m.remember(res, at, again)
		if !warming && !again {
			m.lookCounts[res.Check] = m.lookCounts[res.Check].with(res)
		}
		_, keeps := m.checks[i].Check.(keeper)
		res.Advisory = res.Advisory || m.checks[i].spec.Advisory
		res.External = m.checks[i].spec.External()
		res.CanShow = s.binding.Adaptive != nil && keeps
		report.Results = append(report.Results, res.Result)
		report.Unsure = cmp.Or(report.Unsure, res.Unsure)
	}
	if s.unchanged() {
		for i := range report.Results {
			m.beforeTheChange(data, at, m.checks[i].spec, &report.Results[i])
		}
	}
	report.Unsure = cmp.Or(report.Unsure, m.Unsure())
	report.Clocks = s.clocks()
	return report, ctx.Err()
}

// afterHarm is how long the rest of a look may take once a check has failed.
const afterHarm = time.Second

// refresh begins a look of every source.
func (m *Evaluator) refresh(ctx context.Context, at, from time.Time) {
	m.stage.source.Refresh(ctx, at, from)
	for _, k := range m.keepers() {
		for _, other := range k.sources() {
			other.Refresh(ctx, at, from)
		}
	}
}

// together asks everything at once and answers in order. Sources bound what they do at a time.
func together(asks []func() Judged) []Judged {
	out := make([]Judged, len(asks))
	var wg sync.WaitGroup
	for i, ask := range asks {
		wg.Go(func() { out[i] = ask() })
	}
	wg.Wait()
	return out
}

// remember keeps a check's streak of breaches. A look that cannot be judged neither lengthens nor
// ends it.
func (m *Evaluator) remember(res Judged, at time.Time, again bool) {
	switch {
	case res.Breach:
		if m.streaks[res.Check] == 0 {
			m.since[res.Check] = at
		}
		m.streaks[res.Check] = m.streak(res.Check, again) + 1
	case res.Verdict == Pass:
		delete(m.streaks, res.Check)
		delete(m.since, res.Check)
	}
}

// streak is how many breaches in a row came before this look.
func (m *Evaluator) streak(check string, again bool) int {
	if n := m.streaks[check]; n > 0 && again {
		return n - 1
	}
	return m.streaks[check]
}
