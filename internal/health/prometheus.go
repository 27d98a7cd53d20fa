package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// Limits on what is asked of a Prometheus, and on what it may answer.
const (
	// matcherSample is how many targets of an arm a query names: a matcher of
	// more grows past what servers accept in a URL or compile quickly.
	matcherSample = 200
	queryTimeout  = 10 * time.Second
	queryAttempts = 3
	maxAnswer     = 4 << 20
)

// prometheus asks a Prometheus-compatible API.
type prometheus struct {
	api     promv1.API
	spec    spec.Health
	binding Binding
	// values are the label's values of each arm, sampled.
	exposed, cohort, control []string
	pause                    func(context.Context, time.Duration) error
}

func openPrometheus(h spec.Health, b Binding, client *http.Client) (source, error) {
	transport := client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	client.Transport = capped{transport}
	c, err := api.NewClient(api.Config{Address: h.Prometheus, Client: client})
	if err != nil {
		return nil, fmt.Errorf("prometheus %s: %w", h.Prometheus, err)
	}
	p := &prometheus{api: promv1.NewAPI(c), spec: h, binding: b, pause: pause}
	for _, arm := range []struct {
		targets []fleet.Target
		into    *[]string
	}{{b.Exposed, &p.exposed}, {b.Cohort, &p.cohort}, {b.Control, &p.control}} {
		if *arm.into, err = identities(h.Identify, sample(arm.targets, matcherSample)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// identities are the values by which metrics know the targets.
func identities(id spec.Identify, targets []fleet.Target) ([]string, error) {
	out := make([]string, 0, len(targets))
	for _, t := range targets {
		v, err := tmpl.Fill(id.Value, tmpl.ForTarget(t.ID, t.Address, t.Labels))
		if err != nil {
			return nil, fmt.Errorf("health.identify: %w", err)
		}
		out = append(out, v)
	}
	return out, nil
}

func (p *prometheus) refresh(context.Context, time.Time, time.Time) {}

// absence is two of the server's own intervals: until it has read a target twice,
// an increase is empty on a busy one, too.
func (p *prometheus) absence() time.Duration { return p.spec.StaleAfter.Std() }

func (p *prometheus) before()                    { p.binding.Since = time.Time{} }
func (p *prometheus) state() *ScrapeState        { return nil }
func (p *prometheus) restore(*ScrapeState) error { return nil }

func (p *prometheus) scale(a arm) float64 {
	if a == control {
		return scaled(p.binding.Control, matcherSample)
	}
	return scaled(p.binding.Exposed, matcherSample)
}

// baseline looks back: a Prometheus has a past.
func (p *prometheus) baseline(_ context.Context, at time.Time) (window, error) {
	return window{from: at.Add(-p.spec.Window.Std()), at: at}, nil
}

func (p *prometheus) count(ctx context.Context, expr string, a arm, w window, fresh bool) reading {
	r := p.ask(ctx, expr, a, w, fresh).counted()
	r.span = w.length()
	return r
}

func (p *prometheus) gauge(ctx context.Context, expr string, w window) reading {
	return p.ask(ctx, expr, exposed, w, true).usable()
}

// fill answers the query for an arm: the same text, with the exposed targets
// replaced by the control for the control's.
func (p *prometheus) fill(expr string, a arm, w window) (string, error) {
	v := promql.Values{
		Label: p.spec.Identify.Label, Exposed: p.exposed, Cohort: p.cohort, Control: p.control, Window: w.length(),
		Release: p.binding.Release, Previous: p.binding.Previous, Unit: p.binding.Unit, Stage: p.binding.Stage,
	}
	if a == control {
		v.Exposed, v.Cohort = p.control, p.control
	}
	return promql.Fill(expr, v)
}

func (p *prometheus) ask(ctx context.Context, expr string, a arm, w window, fresh bool) reading {
	query, err := p.fill(expr, a, w)
	if err != nil {
		return noData(expr, "the query cannot be filled: %s", err)
	}
	r := p.query(ctx, query, w.at)
	if r.verdict != "" || !fresh {
		return r
	}
	if age := p.age(ctx, query, w); age.verdict != "" {
		age.query, age.warnings = query, r.warnings
		return age
	}
	return r
}

// age says STALE when the newest sample of the series that a query reads is too
// old, or older than the apply.
func (p *prometheus) age(ctx context.Context, query string, w window) reading {
	selectors, err := promql.Selectors(query)
	if err != nil || len(selectors) == 0 {
		return reading{} // a constant has no age
	}
	newest := time.Time{}
	for _, s := range selectors {
		r := p.query(ctx, "max(timestamp("+s+"))", w.at)
		if r.verdict != "" {
			if r.empty {
				continue
			}
			return r
		}
		newest = later(newest, time.UnixMilli(int64(r.value*1000)))
	}
	limit := w.at.Add(-p.spec.StaleAfter.Std())
	begin := p.binding.Since.Add(p.spec.Warmup.Std())
	switch {
	case newest.IsZero():
		return reading{verdict: Stale, why: "no series of the query has a recent sample"}
	case newest.Before(limit):
		return reading{verdict: Stale, why: fmt.Sprintf("the newest sample is %s old, at most %s is accepted", w.at.Sub(newest).Round(time.Second), p.spec.StaleAfter)}
	case newest.Before(begin):
		return reading{verdict: Stale, why: "the newest sample is from before the stage was applied"}
	}
	return reading{}
}

// query evaluates at one explicit time, and tries again on trouble on the way.
func (p *prometheus) query(ctx context.Context, query string, at time.Time) reading {
	wait := 250 * time.Millisecond
	for n := 1; ; n++ {
		value, warnings, infos, err := p.api.Query(ctx, query, at, promv1.WithTimeout(queryTimeout))
		if err == nil {
			r := single(value)
			r.query, r.warnings = query, append(warnings, infos...)
			return r
		}
		var answer *promv1.Error
		if errors.As(err, &answer) && (answer.Type == promv1.ErrBadData || answer.Type == promv1.ErrExec) || n == queryAttempts || ctx.Err() != nil {
			return noData(query, "the source did not answer: %s", cut(err.Error(), 200))
		}
		if p.pause(ctx, wait) != nil {
			return noData(query, "the source did not answer: %s", cut(err.Error(), 200))
		}
		wait *= 2
	}
}

// single reads the one number that a query must answer.
func single(v model.Value) reading {
	switch v := v.(type) {
	case *model.Scalar:
		return reading{value: float64(v.Value)}
	case model.Vector:
		switch {
		case len(v) == 0:
			return reading{verdict: NoData, why: "the query found no series", empty: true}
		case len(v) > 1:
			return reading{verdict: NoData, why: fmt.Sprintf("the query found %d series where one is asked: sum or max them", len(v))}
		case v[0].Histogram != nil:
			return reading{verdict: NoData, why: "the query found a native histogram where a number is asked"}
		}
		return reading{value: float64(v[0].Value)}
	case nil:
		return reading{verdict: NoData, why: "the source answered nothing"}
	}
	return reading{verdict: NoData, why: fmt.Sprintf("the query answers a %s where one number is asked", v.Type())}
}

// capped bounds the bodies that a source answers.
type capped struct{ next http.RoundTripper }

func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if t := res.Header.Get("Content-Type"); res.StatusCode/100 == 2 && !strings.HasPrefix(t, "application/json") {
		_ = res.Body.Close()
		return nil, fmt.Errorf("it answered %q, not JSON: is this the address of a Prometheus API?", cut(t, 60))
	}
	res.Body = &cappedBody{res.Body, maxAnswer}
	return res, nil
}

type cappedBody struct {
	io.ReadCloser
	left int
}

var errLarge = fmt.Errorf("it answered more than %d MiB", maxAnswer>>20)

func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLarge
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// pause waits d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
