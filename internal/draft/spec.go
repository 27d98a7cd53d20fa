package draft

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
)

// Options say what a spec is for.
type Options struct {
	Unit string
	// Release is the version to go to; empty is one that says that it is to be changed.
	Release string
	// Driver is http or exec, and Fleet the fleet file's path, as the spec has it.
	Driver, Fleet string
	Targets       []fleet.Target
	// Bake is how long each stage is watched, but for those, by name, in Bakes: so long as it takes to see harm there.
	Bake  time.Duration
	Bakes map[string]time.Duration
	// Probe is what a probe asks each target for, such as http://{{address}}/healthz; empty is the path that answered.
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

// Ten looks in a bake, but none more often than every second, and no pause longer than a spec's default.
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

// assumed are checks of names that are usual: nobody has looked. A rollout is refused at its first
// look where they are wrong.
func (w *writer) assumed() []check {
	w.miss("errors", "http_requests_total with a label code is a guess: put the names of your metrics there")
	w.miss("latency", "name a histogram; the spec has lines for it, as comments")
	total := selector{name: "http_requests_total"}
	out := w.errors(requests{total: total, bad: total.with(matching("code", labels.MatchRegexp, "5.."))})
	out[len(out)-1].lines = append(out[len(out)-1].lines,
		"# - name: slow", "#   slow: {histogram: http_request_duration_seconds, over: 500ms}", "#   against: "+w.control(), "#   worse: 100%")
	return out
}

// errors are a check of all changed targets, and one of each.
func (w *writer) errors(r requests) []check {
	usual := 0.0
	seen := "nobody has looked: " + r.bad.text("") + " is a guess"
	if w.seen.Looked {
		seen = "there were none yet"
		if r.all > 0 {
			usual = r.failed / r.all
			seen = fmt.Sprintf("so far %s of %s requests", humanize.Percent(usual), humanize.Integer(r.all))
		}
	}
	other := "on targets that do not have it yet"
	if w.control() == "before" {
		other = "it was before"
	}
	all := check{
		found:    "errors: " + r.bad.text("") + " of " + r.total.text(""),
		comments: []string{"Errors: is the share of failed requests larger than " + other + "? " + sentence(seen)},
		lines: []string{
			"- name: errors", "  bad: " + quoted(w.by.count(r.bad)), "  total: " + quoted(w.by.count(r.total)),
			"  against: " + w.control(), "  worse: 50%",
		},
	}
	if len(r.others) > 0 {
		all.comments = append(all.comments, "Also there: "+strings.Join(r.others[:min(3, len(r.others))], ", ")+".")
	}
	limit := limitFor(usual)
	each := check{
		found:    fmt.Sprintf("one bad host: the same of each target, at most %d%%", limit),
		comments: []string{"One bad host: the sum hides its errors. A target fails above this share of its own requests."},
		lines: []string{
			"- name: outliers", "  bad: " + quoted(w.by.countEach(r.bad)), "  total: " + quoted(w.by.countEach(r.total)),
			fmt.Sprintf("  max: %d%%", limit), "  each: target",
		},
	}
	return []check{all, each}
}

// limitFor is far above what is usual, in percent.
func limitFor(usual float64) int {
	for _, limit := range []int{5, 10, 20, 30} {
		if 5*usual*100 <= float64(limit) {
			return limit
		}
	}
	return 50
}

func (w *writer) latency(r requests) []check {
	l, ok := w.seen.Page.latency(r, w.by.queries)
	if !ok {
		w.miss("latency", "no histogram of how long requests take%s", w.summaryHint())
		return nil
	}
	if l.histogram.name == "" {
		value := w.by.highest(l.value)
		if l.count.name != "" {
			value = w.by.mean(l.value, l.count)
		}
		return []check{{
			found:    "latency: " + l.value.text("") + " of each target, at most " + seconds(l.max),
			comments: []string{"Latency: the mean, in seconds, of each target. So far " + seconds(l.usual) + "."},
			lines: []string{
				"- name: latency", "  value: " + quoted(value), "  max: " + humanize.PlainTo(l.max, 2), "  tolerate: 1", "  each: target",
			},
		}}
	}
	over, seen := l.over, "So few requests were seen that the bound is a guess."
	if l.unit == "" {
		over = duration(l.over)
	}
	if l.slow >= 0 {
		seen = humanize.Percent(l.slow) + " are so far."
	} else {
		w.miss("latency", "too few requests yet to tell a good bound: over: %s is a guess", over)
	}
	if l.unit != "" {
		seen += " The bound is in " + l.unit + "."
	}
	selector := l.histogram.text("")
	return []check{{
		found:    "latency: share of requests over " + over + " by " + selector,
		comments: []string{"Latency: do more requests take longer than " + over + "? " + seen},
		lines: []string{
			"- name: slow", "  slow: {histogram: " + quoted(selector) + ", over: " + over + "}", "  against: " + w.control(), "  worse: 100%",
		},
	}}
}

// summaryHint names what shows latency and was not understood: a native histogram, or a summary, which
// a check of pages cannot read.
func (w *writer) summaryHint() string {
	for _, name := range w.seen.Page.native {
		if latencyNames.MatchString(name) && !notAnswers.MatchString(name) {
			return fmt.Sprintf("; %s is a native histogram, whose bounds are not looked at: write slow: {histogram: %s, over: 500ms} with a bound of yours", name, name)
		}
	}
	for _, name := range w.seen.Page.names() {
		base, ok := strings.CutSuffix(name, "_seconds_sum")
		if ok && latencyNames.MatchString(name) && !notAnswers.MatchString(name) {
			return fmt.Sprintf("; %s_seconds is a summary, which only a Prometheus can be asked about: use --prometheus, or export a histogram", base)
		}
	}
	return ""
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
		w.miss("enough traffic", "the target got %s requests in %s, about %s in a bake of %s: a verdict takes %d, so %s, or minSamples must be smaller",
			humanize.Integer(grew), spec.Duration(w.seen.Between.Round(time.Second)), humanize.Integer(expected), spec.Duration(w.Bake), leastSamples, longer)
	}
}

// leastSamples is what checks of counters need in each arm unless a spec says otherwise.
const leastSamples = 100

// probe asks for what users ask for. Where nothing answered it is left to a person, unless it is the only check.
func (w *writer) probe(only bool) check {
	at, comment := "http://{{address}}"+w.seen.Probe, "Better: the page that your users ask for."
	none := w.Probe == "" && w.seen.Probe == ""
	switch {
	case w.Probe != "":
		at, comment = w.Probe, ""
	case w.seen.Probe == "/":
		comment = "One that your users ask for often is better still."
	case none && !w.seen.Looked:
		at += "/"
		w.miss("a page that users see", "the URL of the check answers is a guess")
	case none && only:
		at += "/"
		w.miss("a page that users see", "%s; set the URL of the check answers, or a start is refused", nonAnswered)
	case none:
		w.miss("a page that users see", "%s; the check answers is there as a comment: set its URL (--probe)", nonAnswered)
		return check{comments: []string{
			"A host that answers nobody counts no errors: write what your users ask for. " + sentence(nonAnswered),
			"- name: answers", "  probe: {http: " + quoted(at+"/") + "}",
		}}
	}
	return check{
		found:    "a host that answers nobody: GET " + strings.TrimPrefix(at, "http://{{address}}") + " of each target",
		comments: []string{strings.TrimSpace("A host that answers nobody counts no errors. " + comment)},
		lines:    []string{"- name: answers", "  probe: {http: " + quoted(at) + "}"},
	}
}

const nonAnswered = "none of /, /healthz and the like answered 2xx from here"

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
