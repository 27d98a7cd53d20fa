package health

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// Stage is what a check works with: whom it is about, and what it reads through.
type Stage struct {
	spec    spec.Health
	binding Binding
	driver  driver.Driver
	// transport carries requests of checks that ask somebody else than the source.
	transport http.RoundTripper
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	now       func() time.Time
	// source is what the stage as a whole is read from, and open readies another one for some of
	// its targets.
	source   source.Source
	language spec.Language
	open     func(source.Scope) (source.Source, error)
}

// Source is where the stage as a whole is read.
func (m *Stage) Source() source.Source { return m.source }

// clocks are those that are apart from the look's.
func (m *Stage) clocks() []Clock {
	c, ok := m.source.(source.Clocked)
	if !ok {
		return nil
	}
	if name, by := c.Ahead(); by != 0 {
		return []Clock{{Of: name, AheadSeconds: by.Seconds()}}
	}
	return nil
}

// sampled says so when an expression was read on some of the exposed targets.
func (m *Stage) sampled(expr string) string { return sampled(m.source, expr) }

func sampled(s source.Source, expr string) string {
	if read, of := s.Coverage(expr, source.Exposed); read < of {
		return fmt.Sprintf(" [read on %s of %s targets]", humanize.Integer(float64(read)), humanize.Integer(float64(of)))
	}
	return ""
}

// ratio reads the bad and total events of one arm, of all its targets together.
func (m *Stage) ratio(ctx context.Context, c spec.Check, a source.Arm, w source.Window) ratio {
	return m.ratioOf(ctx, m.source, c, a, w)
}

// ratioOf is ratio of targets that have a source of their own.
func (m *Stage) ratioOf(ctx context.Context, s source.Source, c spec.Check, a source.Arm, w source.Window) ratio {
	return m.events(ctx, c, w, func(expr string, _ int, l source.OnEmpty) source.Reading { return s.Count(ctx, expr, a, w, l) })
}

// begin is since when evidence counts in a look; before anything was applied all of it does.
func (m *Stage) begin(at Look) time.Time {
	if m.unchanged() {
		return at.From
	}
	return m.binding.Since.Add(m.spec.Warmup.Std())
}

// window is what a look covers. Before anything was applied it does not reach back into an earlier
// rollout.
func (m *Stage) window(at, begin time.Time) source.Window {
	w := source.Window{From: source.Later(begin, at.Add(-m.spec.Window.Std())), At: at}
	if quiet := m.binding.quiet(); m.unchanged() && quiet.After(w.From) {
		w.From = source.Later(w.From, quiet)
		if least := at.Add(-m.spec.Every.Std()); w.From.After(least) {
			w.From = least
		}
	}
	return w
}

// few picks n of the exposed targets, first of all of those newly exposed: nothing else has looked
// at them yet.
func (b Binding) few(n int) []fleet.Target {
	if len(b.Exposed) <= n {
		return b.Exposed
	}
	some := slices.Clone(source.Sample(b.Cohort, n))
	fresh := make(map[string]bool, len(b.Cohort))
	for _, t := range b.Cohort {
		fresh[t.ID] = true
	}
	older := slices.DeleteFunc(slices.Clone(b.Exposed), func(t fleet.Target) bool { return fresh[t.ID] })
	return append(some, source.Sample(older, n-len(some))...)
}

// quiet is since when no earlier rollout has touched the targets; zero where none did.
func (b Binding) quiet() time.Time {
	var newest time.Time
	for _, s := range b.Earlier {
		newest = source.Later(newest, s.To)
	}
	return newest
}
