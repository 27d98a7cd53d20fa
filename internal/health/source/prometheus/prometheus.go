// Package prometheus is a source of health that asks a Prometheus-compatible API: it has a past,
// and shows every target by the label that the spec names.
package prometheus

import (
	"context"
	"fmt"
	"sync"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/promapi"
	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// matcherSample is how many targets of an arm a query names: a matcher of more grows past what
// servers accept in a URL or compile quickly.
const matcherSample = 200

// server asks a Prometheus-compatible API. Its readings may be taken concurrently.
type server struct {
	api   promv1.API
	spec  spec.Health
	scope source.Scope
	// values are the label's values of each arm, sampled.
	exposed, cohort, control []string
	// The same of checks that ask about each target.
	eachExposed, eachCohort, eachControl owned
	// named is how many targets of the fleet have a label's value.
	named map[string]int

	// now is the clock of those who ask, ahead how far the server's is ahead of it, and late how
	// long before the time that it is asked about the server answers as of.
	now         func() time.Time
	clock       func(context.Context, func() time.Time) (promapi.Clock, bool)
	ahead, late time.Duration

	redact func(string) string // of secrets, in what the API says
	host   string              // for messages: the URL may hold more
	slots  chan struct{}       // one for each query on its way

	mu      sync.Mutex
	answers map[asked]*answer // of this look
	began   time.Time         // this look, by this machine's clock
}

// Open is the source at the Prometheus-compatible API of the spec. It asks nothing yet.
func Open(h spec.Health, b source.Scope, d source.Deps) (source.Source, error) {
	var url URL
	if err := h.Source.Decode(&url); err != nil {
		return nil, fmt.Errorf("health.prometheus: %w", err)
	}
	c, err := promapi.New(string(url), d.Transport, maxAnswer)
	if err != nil {
		return nil, fmt.Errorf("health.prometheus: %w", err)
	}
	if err := distinct(h.Identify, b); err != nil {
		return nil, err
	}
	p := &server{
		api: c, spec: h, scope: b, host: c.Host, now: d.Now, clock: c.Clock,
		redact: d.Redact, slots: make(chan struct{}, queryParallel), answers: map[asked]*answer{},
	}
	for _, arm := range []struct {
		targets []fleet.Target
		into    *[]string
	}{{b.Exposed, &p.exposed}, {b.Cohort, &p.cohort}, {b.Control, &p.control}} {
		if *arm.into, err = identities(h.Identify, source.Sample(arm.targets, matcherSample)); err != nil {
			return nil, err
		}
	}
	if p.named, err = naming(h.Identify, b.Exposed, b.Control); err != nil {
		return nil, err
	}
	if p.eachExposed, err = owners(h, b.Exposed); err != nil {
		return nil, err
	}
	if p.eachCohort, err = owners(h, b.Cohort); err != nil {
		return nil, err
	}
	p.eachControl, err = owners(h, source.Sample(source.Sample(b.Control, source.EachSample), judge.MostTargets))
	return p, err
}

// identities are the values by which metrics know the targets.
func identities(id spec.Identify, targets []fleet.Target) ([]string, error) {
	out := make([]string, 0, len(targets))
	for _, t := range targets {
		v, err := tmpl.Fill(id.Value, tmpl.ForTarget(t.ID, t.Address, t.Labels))
		if err != nil {
			return nil, fmt.Errorf("health.identify.value: %w", err)
		}
		out = append(out, v)
	}
	return out, nil
}

// distinct refuses targets of both arms that metrics know by the same name: what one does would
// count for the other.
func distinct(id spec.Identify, b source.Scope) error {
	owners := make(map[string]string, len(b.Exposed))
	for a, targets := range [2][]fleet.Target{b.Exposed, b.Control} {
		values, err := identities(id, targets)
		if err != nil {
			return err
		}
		for i, v := range values {
			t := targets[i]
			if v == "" {
				return fmt.Errorf("health.identify: target %s has an empty value, so no metrics are known to be its own", t.ID)
			}
			owner, taken := owners[v]
			switch {
			case source.Arm(a) == source.Exposed:
				owners[v] = t.ID
			case taken:
				return fmt.Errorf(
					"health.identify: targets %s and %s both appear as %s=%q, "+
						"so what one does would count for the other; expected a value of its own for each target, such as {{address}}",
					owner, t.ID, id.Label, source.Cut(v, 60),
				)
			}
		}
	}
	return nil
}

func (p *server) Refresh(ctx context.Context, _, _ time.Time) {
	p.answers, p.began = map[asked]*answer{}, time.Now()
	p.measureClock(ctx)
}

// Absence is two of the server's own intervals: until it has read a target twice, an increase is
// empty on a busy one, too.
func (p *server) Absence() time.Duration { return p.spec.StaleAfter.Std() }

// RestartSpan is four of the server's own intervals, of which a restart takes one.
func (p *server) RestartSpan() time.Duration {
	return min(2*p.spec.StaleAfter.Std(), p.spec.Window.Std())
}

// Coverage follows the placeholder that the expression uses: one about the cohort says nothing
// about the others exposed.
func (p *server) Coverage(expr string, a source.Arm) (read, of int) {
	switch {
	case a == source.Control:
		of = len(p.scope.Control)
	case promql.OnlyCohort(expr):
		of = len(p.scope.Cohort)
	default:
		of = len(p.scope.Exposed)
	}
	return min(of, matcherSample), of
}

// Baseline looks back: a Prometheus has a past.
func (p *server) Baseline(ctx context.Context, at time.Time) (source.Window, error) {
	p.scope.Since = time.Time{}
	p.Refresh(ctx, at, at)
	return source.Window{From: at.Add(-p.spec.Window.Std()), At: at}, nil
}

func (p *server) Count(ctx context.Context, expr string, a source.Arm, w source.Window, l source.OnEmpty) source.Reading {
	r := p.withBorn(ctx, expr, a, w, p.ask(ctx, expr, a, w, l).Counted())
	r.Span = w.Length()
	return r
}

// Increase asks for everything since the tally began, of which what is more than before is new. So
// every event counts once, even one that reaches the source late. A range that has grown longer
// than the window starts again half a window ago.
func (p *server) Increase(
	ctx context.Context, expr string, a source.Arm, w source.Window, t *source.Tally, l source.OnEmpty,
) source.Reading {
	if t.From.IsZero() || !t.From.Before(w.At) || w.At.Sub(t.From) > 2*p.spec.Window.Std() {
		*t = source.Tally{From: w.From}
	}
	count := func(from time.Time) source.Reading {
		span := source.Window{From: from, At: w.At}
		return p.withBorn(ctx, expr, a, span, p.ask(ctx, expr, a, span, l).Counted())
	}
	whole := count(t.From)
	if whole.Verdict != "" {
		return whole
	}
	sum := whole.Value
	whole.Value = max(0, sum-t.Counted)
	t.Counted = max(t.Counted, sum)
	if begin := w.At.Add(-p.spec.Window.Std() / 2); w.At.Sub(t.From) > p.spec.Window.Std() {
		rest := count(begin)
		if rest.Verdict != "" { // the look as a whole is made up for by the next
			return rest
		}
		*t = source.Tally{From: begin, Counted: rest.Value}
	}
	return whole
}

func (p *server) Gauge(ctx context.Context, expr string, w source.Window) source.Reading {
	return p.ask(ctx, expr, source.Exposed, w, source.EmptyIsUnknown).Usable()
}

// fill answers the query for an arm: the same text, with the exposed targets replaced by the
// control for the control's.
func (p *server) fill(expr string, a source.Arm, w source.Window) (string, error) {
	v := p.values(w)
	if a == source.Control {
		v.Exposed, v.Cohort = p.control, p.control
	}
	return promql.Fill(expr, v)
}

// fillFor answers the query for some of the targets that it is about.
func (p *server) fillFor(expr string, targets []string, w source.Window) (string, error) {
	v := p.values(w)
	v.Exposed, v.Cohort = targets, targets
	return promql.Fill(expr, v)
}

func (p *server) values(w source.Window) promql.Values {
	return promql.Values{
		Label: p.spec.Identify.Label, Exposed: p.exposed, Cohort: p.cohort, Control: p.control, Window: max(w.Length()-p.late, time.Second),
		Release: p.scope.Release, Previous: p.scope.Previous, Unit: p.scope.Unit, Stage: p.scope.Stage,
	}
}

func (p *server) ask(ctx context.Context, expr string, a source.Arm, w source.Window, l source.OnEmpty) source.Reading {
	query, err := p.fill(expr, a, w)
	if err != nil {
		return source.NoData(expr, "the query cannot be filled: %s", err)
	}
	r := p.query(ctx, query, w.At)
	lacking := r.Empty && l == source.EmptyIsZero
	if r.Verdict == "" {
		if crowd := p.shared(ctx, query, w); crowd.Verdict != "" {
			crowd.Query, crowd.Warnings = query, r.Warnings
			return crowd
		}
	}
	if a == source.Exposed && (r.Verdict == "" || r.Empty) {
		if gone := p.missing(ctx, query, w); gone.Verdict != "" {
			gone.Query, gone.Warnings = query, r.Warnings
			return gone
		}
	}
	if r.Empty && a == source.Exposed && !lacking {
		r.Gone = p.gone(ctx, expr, query, w)
	}
	if r.Verdict != "" && !lacking {
		return r
	}
	if old := p.fresh(ctx, query, w, l, lacking); old.Verdict != "" {
		old.Query, old.Warnings, old.Value = query, r.Warnings, r.Usable().Value
		return old
	}
	if lacking {
		if r = (source.Reading{Query: query, Warnings: r.Warnings}); a == source.Exposed {
			if none := p.silenced(ctx, expr, w); none.Verdict != "" {
				none.Query, none.Warnings = query, r.Warnings
				return none
			}
		}
	}
	if a == source.Exposed {
		r.Early = p.early(query, w)
	}
	return r
}

// early says that a query reaches back to before evidence counts; empty if not.
func (p *server) early(query string, w source.Window) string {
	back := reach(query) + p.late
	if back <= w.At.Sub(p.begin()) {
		return ""
	}
	return fmt.Sprintf(
		"the query reaches back %s, to before evidence counts (%s)", spec.Duration(back), p.begin().UTC().Format("15:04:05 MST"),
	)
}
