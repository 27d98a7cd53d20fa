package health

import (
	"context"
	"fmt"
	"sync"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/promapi"
	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// matcherSample is how many targets of an arm a query names: a matcher of more
// grows past what servers accept in a URL or compile quickly.
const matcherSample = 200

// prometheus asks a Prometheus-compatible API. Its readings may be taken
// concurrently.
type prometheus struct {
	api   promv1.API
	spec  spec.Health
	scope Scope
	// values are the label's values of each arm, sampled.
	exposed, cohort, control []string
	// The same of checks that ask about each target.
	eachExposed, eachCohort, eachControl owned

	host  string        // for messages: the URL may hold more
	slots chan struct{} // one for each query on its way

	mu      sync.Mutex
	answers map[asked]*answer // of this look
	began   time.Time         // this look, by this machine's clock
}

func openPrometheus(h spec.Health, b Scope, d sourceDeps) (source, error) {
	c, err := promapi.New(h.Prometheus, d.Transport, maxAnswer)
	if err != nil {
		return nil, fmt.Errorf("health.prometheus: %w", err)
	}
	if err := distinct(h.Identify, b); err != nil {
		return nil, err
	}
	p := &prometheus{api: c, spec: h, scope: b, host: c.Host, slots: make(chan struct{}, queryParallel), answers: map[asked]*answer{}}
	for _, arm := range []struct {
		targets []fleet.Target
		into    *[]string
	}{{b.Exposed, &p.exposed}, {b.Cohort, &p.cohort}, {b.Control, &p.control}} {
		if *arm.into, err = identities(h.Identify, sample(arm.targets, matcherSample)); err != nil {
			return nil, err
		}
	}
	if p.eachExposed, err = owners(h, b.Exposed); err != nil {
		return nil, err
	}
	if p.eachCohort, err = owners(h, b.Cohort); err != nil {
		return nil, err
	}
	p.eachControl, err = owners(h, sample(sample(b.Control, eachSample), judge.MostTargets))
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

// distinct refuses targets of both arms that metrics know by the same name: what
// one does would count for the other.
func distinct(id spec.Identify, b Scope) error {
	owners := make(map[string]string, len(b.Exposed))
	for a, targets := range [2][]fleet.Target{b.Exposed, b.Control} {
		for _, t := range targets {
			v, err := tmpl.Fill(id.Value, tmpl.ForTarget(t.ID, t.Address, t.Labels))
			if err != nil {
				return fmt.Errorf("health.identify.value: %w", err)
			}
			if v == "" {
				return fmt.Errorf("health.identify: target %s has an empty value, so no metrics are known to be its own", t.ID)
			}
			owner, taken := owners[v]
			switch {
			case arm(a) == exposed:
				owners[v] = t.ID
			case taken:
				return fmt.Errorf("health.identify: targets %s and %s both appear as %s=%q, so what one does would count for the other; expected a value of its own for each target, such as {{address}}", owner, t.ID, id.Label, cut(v, 60))
			}
		}
	}
	return nil
}

func (p *prometheus) refresh(context.Context, time.Time, time.Time) {
	p.answers, p.began = map[asked]*answer{}, time.Now()
}

// absence is two of the server's own intervals: until it has read a target twice,
// an increase is empty on a busy one, too.
func (p *prometheus) absence() time.Duration { return p.spec.StaleAfter.Std() }

// settling is four of the server's own intervals, of which a restart takes one.
func (p *prometheus) settling() time.Duration {
	return min(2*p.spec.StaleAfter.Std(), p.spec.Window.Std())
}

// coverage follows the placeholder that the expression uses: one about the cohort
// says nothing about the others exposed.
func (p *prometheus) coverage(expr string, a arm) (read, of int) {
	switch {
	case a == control:
		of = len(p.scope.Control)
	case promql.OnlyCohort(expr):
		of = len(p.scope.Cohort)
	default:
		of = len(p.scope.Exposed)
	}
	return min(of, matcherSample), of
}

// baseline looks back: a Prometheus has a past.
func (p *prometheus) baseline(ctx context.Context, at time.Time) (window, error) {
	p.scope.Since = time.Time{}
	p.refresh(ctx, at, at)
	return window{from: at.Add(-p.spec.Window.Std()), at: at}, nil
}

func (p *prometheus) count(ctx context.Context, expr string, a arm, w window, l lack) reading {
	r := p.ask(ctx, expr, a, w, l).counted()
	r.span = w.length()
	return r
}

func (p *prometheus) gauge(ctx context.Context, expr string, w window) reading {
	return p.ask(ctx, expr, exposed, w, lackIsUnknown).usable()
}

// fill answers the query for an arm: the same text, with the exposed targets
// replaced by the control for the control's.
func (p *prometheus) fill(expr string, a arm, w window) (string, error) {
	v := p.values(w)
	if a == control {
		v.Exposed, v.Cohort = p.control, p.control
	}
	return promql.Fill(expr, v)
}

// fillFor answers the query for some of the targets that it is about.
func (p *prometheus) fillFor(expr string, targets []string, w window) (string, error) {
	v := p.values(w)
	v.Exposed, v.Cohort = targets, targets
	return promql.Fill(expr, v)
}

func (p *prometheus) values(w window) promql.Values {
	return promql.Values{
		Label: p.spec.Identify.Label, Exposed: p.exposed, Cohort: p.cohort, Control: p.control, Window: w.length(),
		Release: p.scope.Release, Previous: p.scope.Previous, Unit: p.scope.Unit, Stage: p.scope.Stage,
	}
}

func (p *prometheus) ask(ctx context.Context, expr string, a arm, w window, l lack) reading {
	query, err := p.fill(expr, a, w)
	if err != nil {
		return noData(expr, "the query cannot be filled: %s", err)
	}
	r := p.query(ctx, query, w.at)
	lacking := r.empty && l == lackIsNone
	if r.verdict != "" && !lacking {
		return r
	}
	if old := p.fresh(ctx, query, w, l, lacking); old.verdict != "" {
		old.query, old.warnings, old.value = query, r.warnings, r.usable().value
		return old
	}
	if lacking {
		r = reading{query: query, warnings: r.warnings}
	}
	if a == exposed {
		r.early = p.early(query, w)
	}
	return r
}

// early says that a query reaches back to before evidence counts; empty if not.
func (p *prometheus) early(query string, w window) string {
	back := reach(query)
	if back <= w.at.Sub(p.begin()) {
		return ""
	}
	return fmt.Sprintf("the query reaches back %s, to before evidence counts (%s)", spec.Duration(back), p.begin().UTC().Format("15:04:05 MST"))
}

// begin is when evidence begins.
func (p *prometheus) begin() time.Time { return p.scope.Since.Add(p.spec.Warmup.Std()) }

// fresh says what is wrong with the series that a query reads: the newest sample
// of each selector must be recent, and from after the apply. A selector without
// any sample is left to the query itself, as long as others have some. When the
// query answered nothing, and that is to mean none, the source must show that it
// would know.
func (p *prometheus) fresh(ctx context.Context, query string, w window, l lack, lacking bool) reading {
	selectors, err := promql.Selectors(query)
	if err != nil || len(selectors) == 0 {
		return noData(query, "the query asks about no series, so nothing tells how old its answer is")
	}
	recent := false
	for _, s := range selectors {
		r := p.newest(ctx, s, w.at)
		if lacking && r.verdict == "" {
			return noData(query, "the query answers nothing, although there are series of %s: they were read only once yet, or the query needs others that are absent (… or vector(0) fills them in)", cut(s, 80))
		}
		if r.empty && l == lackIsNone {
			r = p.newest(ctx, loosened(s), w.at)
			if r.empty && lacking {
				return nobodyHas(query, s)
			}
		}
		if r.empty {
			continue
		}
		if r.verdict != "" {
			return r
		}
		recent = true
		if old := p.times(w).aged(stamp(r)); old.verdict != "" {
			return old
		}
	}
	if !recent {
		return reading{verdict: Stale, why: "no series of the query has a recent sample"}
	}
	return reading{}
}

// stamp is the time that a reading of seconds means.
func stamp(r reading) time.Time { return time.UnixMilli(int64(1000 * min(max(r.value, 0), 1<<40))) }

// times are when samples count in a look.
func (p *prometheus) times(w window) times {
	return times{at: w.at, begin: p.begin(), after: p.spec.StaleAfter, ahead: ahead(p.spec, time.Since(p.began))}
}

// newest is when the newest sample of a selector was taken, in seconds.
func (p *prometheus) newest(ctx context.Context, selector string, at time.Time) reading {
	return p.query(ctx, newest("max", selector), at).usable()
}

// newest asks for the time of a selector's newest sample, also of one that is in the
// future of the query's time: a source whose clock is ahead shows by it. How far it
// looks is less than how far a selector looks back, 5m unless the source was told
// otherwise, so that samples of now are found, too.
func newest(aggregation, selector string) string {
	return fmt.Sprintf("%[1]s(timestamp(%[2]s offset -4m)) or %[1]s(timestamp(%[2]s))", aggregation, selector)
}
