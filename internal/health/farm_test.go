package health

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/health/source/scrape"
	"github.com/sluicehq/sluice/internal/spec"
)

// farm is a fleet whose metrics pages and releases a test decides. It is a transport and a driver
// at once, so that no test needs a network.
type farm struct {
	applied time.Time
	targets []fleet.Target

	mu     sync.Mutex
	pages  map[string]string // by target id
	extras map[string]string
	broken map[string]error
	states map[string]func(asked int) (driver.State, error)
	asked  map[string]int
}

func newFarm(t *testing.T, n int) *farm {
	t.Helper()
	f := &farm{
		applied: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		pages:   map[string]string{}, extras: map[string]string{}, broken: map[string]error{},
		states: map[string]func(int) (driver.State, error){}, asked: map[string]int{},
	}
	f.targets = newFarmTargets(n)
	f.serve("*", 0, 0)
	return f
}

func newFarmTargets(n int) []fleet.Target {
	out := make([]fleet.Target, n)
	for i := range out {
		id := fmt.Sprintf("t%d", i)
		out[i] = fleet.Target{ID: id, Address: id + ":80"}
	}
	return out
}

// each calls do for a target, or for all of them by "*".
func (f *farm) each(id string, do func(id string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.targets {
		if id == "*" || id == t.ID {
			do(t.ID)
		}
	}
}

// serve sets what a target has counted since it started.
func (f *farm) serve(id string, bad, total int) {
	f.page(id, fmt.Sprintf("# TYPE requests_total counter\nrequests_total{code=\"200\"} %d\nrequests_total{code=\"500\"} %d\n", total-bad, bad))
}

func (f *farm) page(id, text string)  { f.each(id, func(id string) { f.pages[id] = text }) }
func (f *farm) extra(id, text string) { f.each(id, func(id string) { f.extras[id] = text }) }

func (f *farm) fail(id string, err error) { f.each(id, func(id string) { f.broken[id] = err }) }

// runs sets what a target answers to the n-th time that it is asked.
func (f *farm) runs(id string, answer func(asked int) (driver.State, error)) {
	f.each(id, func(id string) { f.states[id] = answer })
}

func (f *farm) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.URL.Hostname()
	if err := f.broken[id]; err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Request: r, Header: http.Header{"Content-Type": {"text/plain"}},
		Body: io.NopCloser(bytes.NewBufferString(f.pages[id] + f.extras[id])),
	}, nil
}

func (f *farm) Observe(_ context.Context, t fleet.Target, _ string) (driver.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[t.ID]++
	if answer := f.states[t.ID]; answer != nil {
		return answer(f.asked[t.ID])
	}
	return driver.State{Release: "2.0.0", Alive: true}, nil
}

func (f *farm) Validate(context.Context, fleet.Target, driver.Order) error {
	return errors.New("a meter changes nothing")
}

func (f *farm) Apply(context.Context, fleet.Target, driver.Order) error {
	return errors.New("a meter changes nothing")
}

// binding exposes the first n targets.
func (f *farm) binding(n int) Binding {
	return Binding{Scope: source.Scope{
		Unit: "edge", Release: "2.0.0", Previous: "1.0.0", Stage: "canary", Since: f.applied,
		Exposed: f.targets[:n], Cohort: f.targets[:n], Control: f.targets[n:],
	}}
}

func (f *farm) open(t *testing.T, h spec.Health, b Binding) *Evaluator {
	t.Helper()
	m, err := Open(h, b, Deps{Sources: sources, Forms: forms, Driver: f, Transport: f})
	require.NoError(t, err)
	return m
}

func seconds(n int) spec.Duration { return spec.Duration(time.Duration(n) * time.Second) }

func num(v float64) *spec.Number { return new(spec.Number(v)) }

func ratioOf(most float64) spec.Check {
	return spec.Check{Name: "errors", Bad: `requests_total{code=~"5.."}`, Total: "requests_total", Max: num(most), MinSamples: 100}
}

// scrapeSpec looks every five seconds over a minute.
func scrapeSpec(checks ...spec.Check) spec.Health {
	return spec.Health{
		Source: spec.Choose("scrape", scrape.Scrape{URL: "http://{{address}}/metrics", Sample: 50, Baseline: seconds(10)}),
		Every:  seconds(5), Window: seconds(60), StaleAfter: seconds(30), Traffic: "requests_total", Checks: checks,
	}
}

// result is a check's result in a report.
func result(t *testing.T, r Report, check string) Result {
	t.Helper()
	for _, res := range r.Results {
		if res.Check == check {
			return res
		}
	}
	require.FailNow(t, "no result", "of %s in %v", check, r.Results)
	return Result{}
}

// A release that renames the label by which bad events are told has no known number of them,
// although the targets that it has not reached still have the label.
func TestScrapeKnowsByItsOwnPages(t *testing.T) {
	f := newFarm(t, 4)
	h := scrapeSpec(spec.Check{Name: "errors", Bad: `requests_total{code=~"5.."}`, Total: "requests_total", Max: num(0.5), MinSamples: 1})
	m := f.open(t, h, f.binding(2))
	for i := range 4 {
		for j, t := range f.targets {
			label := "code"
			if j < 2 {
				label = "status"
			}
			f.pages[t.ID] = fmt.Sprintf("requests_total{%s=\"200\"} %d\n", label, 100*(i+1))
		}
		r := f.look(t, m, time.Duration(5*(i+1))*time.Second)
		if i > 1 {
			require.Equal(t, NoData, result(t, r, "errors").Verdict, result(t, r, "errors").Sentence)
			require.Contains(t, result(t, r, "errors").Sentence, "none of these pages shows")
		}
	}
}
