package draft

import (
	"fmt"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/sluicehq/sluice/internal/humanize"
)

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

// summaryHint names what shows latency and was not understood: a native histogram, or a summary,
// which a check of pages cannot read.
func (w *writer) summaryHint() string {
	for _, name := range w.seen.Page.native {
		if latencyNames.MatchString(name) && !notAnswers.MatchString(name) {
			return fmt.Sprintf("; %s is a native histogram, whose bounds are not looked at: "+
				"write slow: {histogram: %s, over: 500ms} with a bound of yours", name, name)
		}
	}
	for _, name := range w.seen.Page.names() {
		base, ok := strings.CutSuffix(name, "_seconds_sum")
		if ok && latencyNames.MatchString(name) && !notAnswers.MatchString(name) {
			return fmt.Sprintf("; %s_seconds is a summary, which only a Prometheus can be asked about: "+
				"use --prometheus, or export a histogram", base)
		}
	}
	return ""
}

// probe asks for what users ask for. Where nothing answered it is left to a person, unless it is
// the only check.
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
