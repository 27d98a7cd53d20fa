package draft

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// latency is what shows how long answers take: a histogram, a gauge, or a sum beside a count.
type latency struct {
	histogram selector
	over      string  // a bound of the histogram, as a spec writes it
	slow      float64 // the share of requests above it, so far; -1 where there were too few
	unit      string  // of the histogram's bounds, where a number says none

	value      selector // a gauge, or a summary's sum
	count      selector // of the summary
	usual, max float64  // of the value
}

// latencyNames are names of times that answers take; what is in none of them is no latency.
var latencyNames = regexp.MustCompile(`(?i)(request|response|rq|handling|latency|duration|time|seconds)`)

// notAnswers are names of times, or of other distributions, that no user waits for.
var notAnswers = regexp.MustCompile(`^(go|jvm|process|promhttp|prometheus|net_conntrack|node|scrape)_|` +
	`(^|_)(notification|client|outbound|egress|bytes|size|length|gc|connect|queue|workqueue|dial|dns_lookup|` +
	`since|uptime|timestamp|start)(_|$)`)

// behind are names of times of what lies behind a program.
var behind = regexp.MustCompile(`(^|_)(upstream|backend|cluster|filter)_`)

// usualSlow is the largest share of requests that are slow today, by a bound that is to find more
// of them.
const usualSlow = 0.02

// noticed is the shortest time, in seconds, that is worth a rollback: below it a busy machine is a
// noise.
const noticed = 0.025

// leastEvents is of how many events a share says something.
const leastEvents = 100

// latency is the best on the page for requests as counted: one whose name begins alike.
func (p Page) latency(r requests, queries bool) (latency, bool) {
	type candidate struct {
		latency
		name  string
		score int
	}
	var found []candidate
	for _, name := range p.names() {
		l, score, ok := p.timed(name, queries)
		if !ok {
			continue
		}
		if l.histogram.name != "" {
			score += len(commonPrefix(name, r.total.name))
		}
		if l.histogram.name != "" && behind.MatchString(name) {
			score -= 50
		}
		found = append(found, candidate{l, name, score})
	}
	if len(found) == 0 {
		return latency{}, false
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Or(-cmp.Compare(a.score, b.score), cmp.Compare(a.name, b.name)) })
	return found[0].latency, true
}

// timed reads a metric as a latency; the better it can be judged, the higher the score.
func (p Page) timed(name string, queries bool) (l latency, score int, ok bool) {
	if notAnswers.MatchString(strings.TrimPrefix(name, "prometheus_http_")) || !latencyNames.MatchString(name) {
		return l, 0, false
	}
	all := p.series[name]
	match := users(all)
	switch base, _ := strings.CutSuffix(name, "_bucket"); {
	case p.kind(name) == bucket:
		l, ok = histogram(base, bounds(all, match...), match)
		return l, 300, ok
	case slices.Contains(gauges, name):
		l, ok = highest(selector{name, match}, all, queries)
		return l, 200 - slices.Index(gauges, name), ok
	case strings.HasSuffix(name, "_seconds_sum") && queries && p.kind(strings.TrimSuffix(name, "_sum")+"_count") == counter:
		count := selector{strings.TrimSuffix(name, "_sum") + "_count", match}
		n := sum(p.series[count.name], match...)
		if n <= 0 {
			return l, 0, false
		}
		l = latency{value: selector{name, match}, count: count, usual: sum(all, match...) / n}
		l.max = ceiling(l.usual)
		return l, 100, true
	}
	return l, 0, false
}

// gauges show a mean time of late, in seconds; the first that is there is taken.
var gauges = []string{
	"haproxy_backend_total_time_average_seconds", "haproxy_backend_response_time_average_seconds", "nginx_vts_server_request_seconds",
}

// highest judges a gauge. Of a page that shows several numbers none can be picked.
func highest(s selector, all []series, queries bool) (latency, bool) {
	l := latency{value: s}
	n := 0
	for _, one := range all {
		if selects(s.match, one.labels) && !math.IsNaN(one.value) {
			l.usual, n = max(l.usual, one.value), n+1
		}
	}
	l.max = ceiling(l.usual)
	return l, n == 1 || n > 1 && queries
}

// ceiling is far above what is usual, rounded up to one digit; in seconds.
func ceiling(usual float64) float64 {
	const times, least = 5, 0.25
	v := max(least, times*usual)
	digit := math.Pow(10, math.Floor(math.Log10(v)))
	if r := math.Ceil(v/digit) * digit; v > least {
		return r
	}
	return v
}

// histogram picks the bound above which few requests are today.
func histogram(base string, all []bound, match []*labels.Matcher) (latency, bool) {
	finite := slices.DeleteFunc(slices.Clone(all), func(b bound) bool { return math.IsInf(b.le, 0) })
	if len(finite) == 0 {
		return latency{}, false
	}
	l := latency{histogram: selector{base, match}, slow: -1}
	milli := strings.Contains(base, "milliseconds") || strings.HasSuffix(base, "_ms") || strings.HasPrefix(base, "envoy_")
	unit := 1.0
	switch {
	case milli:
		unit, l.unit = 1000, "milliseconds"
	case !strings.Contains(base, "seconds"):
		l.unit = "the metric's own unit"
	}
	least := noticed * unit
	if l.unit != "" && !milli {
		least = 0
	}
	pick := finite[len(finite)-1]
	total := all[len(all)-1].within
	for _, b := range slices.Backward(finite) {
		if total >= leastEvents && b.within >= (1-usualSlow)*total && b.le >= least || total < leastEvents && b.le >= unit/2 {
			pick = b
		}
	}
	if total >= leastEvents {
		l.slow = 1 - pick.within/total
	}
	l.over = strconv.FormatFloat(pick.le, 'g', -1, 64)
	return l, true
}

func commonPrefix(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return a[:n]
}
