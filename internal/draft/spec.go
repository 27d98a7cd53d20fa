package draft

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// Options say what a spec is for.
type Options struct {
	Unit string
	// Release is the version to go to; empty is one that says that it is to be changed.
	Release string
	// Bundle is the folder of files that are the release, in the place of Release; empty is none.
	// With Fleet, the fleet file's path, as the spec has it.
	Bundle, Fleet string
	// Driver is http, exec or agent.
	Driver  string
	Targets []fleet.Target
	// Bake is how long each stage is watched, but for those, by name, in Bakes: so long as it takes
	// to see harm there.
	Bake  time.Duration
	Bakes map[string]time.Duration
	// Probe is what a probe asks each target for, such as http://{{address}}/healthz; empty is the
	// path that answered.
	Probe string
}

// Draft is a spec that was written.
type Draft struct {
	// Text is the spec.
	Text string
	// Found says for each check what it looks at, and Missing what no check looks at, and why; a
	// sentence each.
	Found, Missing []string
}

// check is one of a spec: comments, and lines of YAML without their indentation.
type check struct {
	found    string // what it looks at, for people
	comments []string
	lines    []string
}

// Ten looks in a bake, but none more often than every second, and no pause longer than a spec's
// default.
const (
	looks        = 10
	leastEvery   = time.Second
	longestEvery = 15 * time.Second
)

// Write writes a spec for what was seen. The same input gives the same text.
func Write(o Options, s Seen) Draft {
	w := writer{Options: o, seen: s, by: by{queries: s.who.label != "", label: s.who.label}}
	w.every = min(longestEvery, max(leastEvery, (o.Bake/looks).Truncate(time.Second)))
	var checks []check
	counts := false // something counts requests
	var traffic string
	r, ok := s.Page.requests()
	switch {
	case !s.Looked:
		checks, counts = w.assumed(), true
	case ok && r.known():
		checks, counts = w.errors(r), true
	case ok:
		counts, traffic = true, w.by.count(r.total)
		w.miss("errors", "%s counts requests and not how they end; name a counter of failed requests, if there is one", r.total.name)
	default:
		w.miss("errors", "no counter has a label such as code or status, and none counts failures%s", w.alsoThere())
		w.miss("silence", "nothing counts requests, so that their absence cannot be seen: the spec says without: [traffic]")
	}
	if s.Looked {
		checks = append(checks, w.latency(r)...)
		w.rate(r, counts)
	}
	probe := w.probe(len(checks) == 0)
	checks = append(checks, probe)
	if s.Looked && !r.known() {
		seen := "; one that answers nobody is seen by the probe"
		if probe.found == "" {
			seen = ""
		}
		w.miss("one bad host", "no check with each: target, for want of counters of errors%s", seen)
	}
	return w.write(checks, counts, traffic)
}

// writer is a spec on its way.
type writer struct {
	Options
	seen  Seen
	by    by
	every time.Duration
	draft Draft
}

func (w *writer) miss(what, why string, args ...any) {
	w.draft.Missing = append(w.draft.Missing, what+": "+fmt.Sprintf(why, args...))
}

// control is what a change is compared with: with one target there is no other.
func (w *writer) control() string {
	if len(w.Targets) > 1 {
		return "control"
	}
	return "before"
}

// alsoThere names counters that were not understood.
func (w *writer) alsoThere() string {
	var names []string
	for _, name := range w.seen.Page.names() {
		if w.seen.Page.kind(name) == counter && requestScore(name) >= 0 {
			names = append(names, name)
		}
	}
	const few = 5
	if len(names) == 0 {
		return fmt.Sprintf(" (%d metrics, no counter of requests)", len(w.seen.Page.names()))
	}
	return "; counters that are there: " + strings.Join(names[:min(few, len(names))], ", ")
}

// rate says so where traffic is too little for a verdict, with the numbers.
func (w *writer) rate(r requests, counts bool) {
	if counts && r.all == 0 {
		w.miss("enough traffic", "%s has counted no request yet", r.total.name)
		return
	}
	then, ok := w.seen.Earlier.requests()
	if !counts || w.seen.Between <= 0 || !ok || then.total.name != r.total.name {
		return
	}
	grew := r.all - then.all
	expected := grew * w.Bake.Seconds() / w.seen.Between.Seconds()
	if grew >= 0 && expected < leastSamples {
		longer := "bakes must be longer"
		if takes := w.seen.Between.Hours() * leastSamples / grew; takes < 7*24 {
			longer = "a bake takes " + spec.Duration(time.Duration(takes*float64(time.Hour)).Truncate(time.Minute)+time.Minute).String()
		}
		w.miss("enough traffic", "the target got %s requests in %s, about %s in a bake of %s: "+
			"a verdict takes %d, so %s, or minSamples must be smaller",
			humanize.Integer(grew), spec.Duration(w.seen.Between.Round(time.Second)),
			humanize.Integer(expected), spec.Duration(w.Bake), leastSamples, longer)
	}
}

// leastSamples is what checks of counters need in each arm unless a spec says otherwise.
const leastSamples = 100

func seconds(v float64) string { return humanize.PlainTo(v, 2) + " s" }

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

// duration writes seconds, a bound of a bucket, as a duration where that is exact.
func duration(le string) string {
	var v float64
	if _, err := fmt.Sscan(le, &v); err != nil {
		return le
	}
	milli := v * 1000
	if math.Abs(milli-math.Round(milli)) > 1e-9 || milli < 1 {
		return le
	}
	return spec.Duration(time.Duration(math.Round(milli)) * time.Millisecond).String()
}
