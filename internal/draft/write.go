package draft

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// write puts a spec together.
func (w *writer) write(checks []check, counts bool, traffic string) Draft {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	from := "Nobody has looked at a target: the names of metrics are guesses (--page or --prometheus looks)."
	if w.seen.Looked {
		from = "It rests on " + w.seen.From + "."
	}
	line("# Written by sluice init. %s Check it, then: sluice plan", from)
	line("unit: %s", w.Unit)
	line("%s", w.release())
	line("fleet: %s", quoted(w.Fleet))
	b.WriteString(w.driver())
	line("stages:")
	for _, s := range w.stages() {
		line("  - %s", s)
	}
	line("health:")
	for _, l := range w.source(counts || len(checks) > 1) {
		line("  %s", l)
	}
	switch {
	case !counts:
		line("  without: [traffic] # nothing counts requests")
	case traffic != "":
		line("  traffic: %s # silence: changed targets must go on getting their requests", quoted(traffic))
	default:
		line("  # Silence needs no line: changed targets, each of them, must go on getting their requests (the total of errors).")
	}
	line("  checks:")
	for _, c := range checks {
		for _, comment := range c.comments {
			line("    # %s", comment)
		}
		for _, l := range c.lines {
			line("    %s", l)
		}
		if w.seen.Looked && c.found != "" {
			w.draft.Found = append(w.draft.Found, c.found)
		}
	}
	if w.seen.Looked && counts {
		w.draft.Found = append(w.draft.Found, "silence: requests that stay away from changed targets, or from one of them")
	}
	if len(w.draft.Missing) > 0 {
		line("# Missing:")
		for _, m := range w.draft.Missing {
			line("#   %s", oneLine(m))
		}
	}
	w.draft.Text = b.String()
	return w.draft
}

// oneLine keeps foreign text, such as a label's value, inside its comment.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (w *writer) release() string {
	if w.Bundle != "" {
		return "bundle: " + quoted(w.Bundle) + " # the files are the release"
	}
	release := w.Release
	if release == "" {
		release = "0.0.0-change-me"
		w.miss("the release", "%s is none of yours", release)
	}
	return fmt.Sprintf("release: %q", release)
}

// labelAgent is the label that says where a target's agent listens.
const labelAgent = "agent"

func (w *writer) driver() string {
	if w.Driver == "agent" {
		url := "http://{{label." + labelAgent + "}}"
		if slices.ContainsFunc(w.Targets, func(t fleet.Target) bool { return t.Labels[labelAgent] == "" }) {
			url = "http://{{address}}"
			w.miss("where agents listen", "%s is a guess: "+
				"give each target a label, such as agent: \"10.1.0.1:7311\", and say url: \"http://{{label.agent}}\"", url)
		}
		return "fallback: remove # the first time there is nothing to go back to\n" +
			"driver:\n" +
			"  agent: {url: " + quoted(url) + "} # a sluice-agent on every target, see docs/agent.md\n"
	}
	if w.Driver == "exec" {
		w.miss("the driver's program", "./switch is a guess: a program that observes and applies, see docs/drivers.md")
		return `driver:
  exec: # a program of yours, which the worker runs for each target
    observe: [./switch, observe, "{{id}}"]
    apply: [./switch, apply, "{{id}}", "{{release}}", "{{fence}}"]
`
	}
	return "driver:\n  http: {} # every target serves two requests, see docs/drivers.md\n"
}

// stages are a few targets first, then more, then all.
func (w *writer) stages() []string {
	n, spread := len(w.Targets), ""
	const canaries = 50 // one of so many
	if label := spreadLabel(w.Targets); label != "" && n >= 4 {
		spread = ", spread: " + label
	}
	var out []string
	add := func(least, cohort int, name, whom string) {
		if n < least {
			return
		}
		bake, why := spec.Duration(w.Bake), ""
		if longer, ok := w.Bakes[name]; ok {
			bake, why = spec.Duration(longer), " # a shorter bake does not show harm, by the past of its targets"
		}
		tolerate := ""
		if cohort >= 100 {
			tolerate = ", tolerate: {unreachable: 1%}"
			why += " # hosts that die by themselves are left out, by name"
		}
		out = append(out, fmt.Sprintf("{name: %s, %s, bake: %s%s}%s", name, whom, bake, tolerate, why))
	}
	add(2, 0, "canary", fmt.Sprintf("count: %d", max(1, n/canaries)))
	add(30, 0, "early", "reach: 10%"+spread)
	add(4, n*2/5, "half", "reach: 50%"+spread)
	add(0, n/2, "everyone", "reach: 100%")
	return out
}

// sample is how many pages are read, where that is more than a spec reads that does not say it: one
// bad host is seen only on its own page.
func (w *writer) sample(before string) string {
	const usual, most = 50, 1000
	if n := len(w.Targets); n > most {
		w.miss("one bad host of "+humanize.Integer(float64(n)),
			"of each side at most %s pages are read; a Prometheus sees more", humanize.Integer(most))
	}
	if n := min(len(w.Targets), most); n > usual {
		return before + fmt.Sprintf("sample: %d", n)
	}
	return ""
}

// source says where health is read, if anything is, and how often.
func (w *writer) source(needed bool) []string {
	var out []string
	every := w.every
	switch {
	case w.by.queries:
		out = append(out, "prometheus: "+quoted(w.seen.source)+" # as the worker reaches it")
		if !w.seen.who.isDefault() {
			out = append(out, fmt.Sprintf("identify: {label: %s, value: %s} # how a target appears there",
				w.seen.who.label, quoted(w.seen.who.template)))
		}
		if missing := w.seen.who.missing; len(missing) > 0 {
			w.miss("targets in Prometheus", "%d of %d are not there, such as %s", len(missing), len(w.Targets), missing[0])
		}
		every = max(every, w.seen.Interval.Round(time.Second))
	case w.seen.source != "" && needed:
		out = append(out, "scrape: {url: "+quoted(w.seen.source)+w.sample(", ")+"} # the targets' own pages")
	case !w.seen.Looked:
		out = append(out, "scrape: {"+w.sample("")+"} # the targets' own pages, http://{{address}}/metrics; or prometheus: http://…")
	}
	out = append(out, "every: "+spec.Duration(every).String())
	usual := max(30*time.Second, 2*every) // staleAfter, unless it is said
	stale := max(3*w.seen.Interval.Round(time.Second), 2*every)
	if w.by.queries && w.seen.Interval > 0 && (w.Bake < 10*usual && stale < usual || stale > usual) {
		out = append(out, fmt.Sprintf("staleAfter: %s # Prometheus reads targets every %s",
			spec.Duration(stale), spec.Duration(w.seen.Interval.Round(time.Second))))
	}
	return out
}
