package draft

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// requests are counters of requests: all, and those that failed.
type requests struct {
	total selector
	// bad is empty where nothing tells failed requests from others.
	bad selector
	// all and failed are how many the page has counted.
	all, failed float64
	// others are counters that would have done, too.
	others []string
}

// known says that failed requests are counted.
func (r requests) known() bool { return r.bad.name != "" }

// resultLabels say how a request ended; the first that a counter has is taken.
var resultLabels = []string{
	"code", "status", "status_code", "http_status_code", "http_response_status_code", "http_status", "response_code", "statuscode",
	"envoy_response_code_class", "envoy_response_code", "grpc_code", "grpc_status", "rpc_grpc_status_code", "rcode", "status_class",
	"class", "outcome", "result",
}

// result is a way to name how requests end: values by which it is known, and the failed ones.
type result struct {
	like *regexp.Regexp
	op   labels.MatchType
	bad  string
}

var results = []result{
	{regexp.MustCompile(`^[1-5]\d\d$`), labels.MatchRegexp, "5.."},
	{regexp.MustCompile(`^[1-5]xx$`), labels.MatchEqual, "5xx"},
	{regexp.MustCompile(`^[1-5]XX$`), labels.MatchEqual, "5XX"},
	{
		regexp.MustCompile(`^(OK|NotFound|InvalidArgument|Internal|Unavailable|DeadlineExceeded|Unknown|PermissionDenied)$`),
		labels.MatchRegexp, "Unknown|DeadlineExceeded|ResourceExhausted|Unimplemented|Internal|Unavailable|DataLoss",
	},
	{
		regexp.MustCompile(`^(NOT_FOUND|INVALID_ARGUMENT|INTERNAL|UNAVAILABLE|DEADLINE_EXCEEDED|UNKNOWN)$`),
		labels.MatchRegexp, "UNKNOWN|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS",
	},
	{regexp.MustCompile(`^(NOERROR|NXDOMAIN|SERVFAIL)$`), labels.MatchEqual, "SERVFAIL"},
	{regexp.MustCompile(`^(SUCCESS|CLIENT_ERROR|SERVER_ERROR|REDIRECTION|INFORMATIONAL)$`), labels.MatchRegexp, "SERVER_ERROR|UNKNOWN"},
	{regexp.MustCompile(`(?i)^(success|succeeded|error|failure|failed|fail)$`), labels.MatchRegexp, "(?i)(error|errors|fail|failed|failure)"},
}

// classes and numbers are read as such only under labels of that meaning.
var (
	classes = result{regexp.MustCompile(`^[1-5]$`), labels.MatchEqual, "5"}
	numbers = result{regexp.MustCompile(`^(\d|1[0-6])$`), labels.MatchRegexp, "2|4|8|12|13|14|15"}
)

// failed is what selects failed requests among the values of a label; nil where nothing does.
func failed(label string, seen []string) *labels.Matcher {
	ways := results
	switch {
	case strings.Contains(label, "class"):
		ways = append(slices.Clone(ways), classes)
	case strings.Contains(label, "grpc"):
		ways = append(slices.Clone(ways), numbers)
	}
	for _, way := range ways {
		if slices.ContainsFunc(seen, way.like.MatchString) {
			return matching(label, way.op, way.bad)
		}
	}
	return nil
}

// own are labels, and their values that name a program's own pages, which no user asks for: a
// monitor that goes on asking a dead host for them would hide that nobody else does.
var own = map[string]*regexp.Regexp{
	"proxy":                          regexp.MustCompile(`^(stats|metrics|prometheus|health.*)$`),
	"envoy_http_conn_manager_prefix": regexp.MustCompile(`^(admin|stats|prometheus).*$`),
	"entrypoint":                     regexp.MustCompile(`^(metrics|traefik|ping)$`),
	"handler":                        ownPaths,
	"path":                           ownPaths,
	"uri":                            ownPaths,
	"route":                          ownPaths,
	"endpoint":                       ownPaths,
	"http_route":                     ownPaths,
}

var ownPaths = regexp.MustCompile(`^/?(metrics|prometheus|stats|healthz?|livez?|readyz?|ping|actuator.*)/?$`)

// users are the matchers that leave a program's own pages out, and what would be counted twice.
func users(all []series) []*labels.Matcher {
	var out []*labels.Matcher
	for _, label := range slices.Sorted(maps.Keys(own)) {
		theirs := slices.DeleteFunc(values(all, label), func(v string) bool { return !own[label].MatchString(v) })
		switch len(theirs) {
		case 0:
		case 1:
			out = append(out, matching(label, labels.MatchNotEqual, theirs[0]))
		default:
			for i := range theirs {
				theirs[i] = regexp.QuoteMeta(theirs[i])
			}
			out = append(out, matching(label, labels.MatchNotRegexp, strings.Join(theirs, "|")))
		}
	}
	if slices.Contains(values(all, "host"), "*") { // nginx-vts has the sum of all hosts beside them
		out = append(out, matching("host", labels.MatchEqual, "*"))
	}
	if slices.Contains(values(all, "code"), "total") { // and of all codes
		out = append(out, matching("code", labels.MatchNotEqual, "total"))
	}
	return out
}

// counters of requests by name: the first pattern that matches says how good a name is.
var requestNames = []struct {
	like  *regexp.Regexp
	score int
}{
	{regexp.MustCompile(`^prometheus_http_requests_total$`), 70}, // of a Prometheus that is the fleet
	{regexp.MustCompile(`^(go|jvm|process|promhttp|prometheus|net_conntrack|node|scrape|tomcat_global)_`), -1},
	{regexp.MustCompile(`(^|_)(notification|client|outbound|egress|webhook|bytes|size|connections?)(_|$)`), 10},
	{regexp.MustCompile(`^haproxy_frontend_http_responses_total$`), 100},
	{regexp.MustCompile(`^nginx_vts_server_requests_total$`), 100},
	{regexp.MustCompile(`^envoy_http_downstream_rq_xx$`), 100},
	{regexp.MustCompile(`^traefik_entrypoint_requests_total$`), 100},
	{regexp.MustCompile(`^(istio_requests_total|grpc_server_handled_total|coredns_dns_responses_total)$`), 95},
	{regexp.MustCompile(`(^|_)(upstream|backend|cluster|server_responses?|filter|cache)_`), 20},
	{regexp.MustCompile(`^haproxy_(backend|server|listener)_`), 20},
	{regexp.MustCompile(`(^|_)http_requests(_total)?$`), 90},
	{regexp.MustCompile(`http.*(request|response)|(request|response).*http`), 80},
	{regexp.MustCompile(`(^|_)(request|requests|responses|rq|handled|queries|calls)(_|$)`), 60},
	{regexp.MustCompile(``), 30},
}

func requestScore(name string) int {
	for _, n := range requestNames {
		if n.like.MatchString(name) {
			return n.score
		}
	}
	return 0
}

// requests are the best counters of requests on the page.
func (p Page) requests() (requests, bool) {
	var found []requests
	for _, name := range p.names() {
		if r, ok := p.counted(name); ok {
			found = append(found, r)
		}
	}
	found = append(found, p.pairs()...)
	slices.SortStableFunc(found, func(a, b requests) int {
		return cmp.Or(
			-cmp.Compare(truth(a.known()), truth(b.known())),
			-cmp.Compare(truth(a.all > 0), truth(b.all > 0)),
			-cmp.Compare(requestScore(a.total.name), requestScore(b.total.name)),
			-cmp.Compare(a.all, b.all),
		)
	})
	if len(found) == 0 {
		return requests{}, false
	}
	best := found[0]
	for _, r := range found[1:] {
		if r.known() && r.total.name != best.total.name && !slices.Contains(best.others, r.total.name) {
			best.others = append(best.others, r.total.name)
		}
	}
	return best, true
}

// leastScore is the score of a name that may count requests though no label says how they ended.
const leastScore = 60

// counted reads a counter by the label that says how requests ended; without one it counts requests
// that nothing tells apart.
func (p Page) counted(name string) (requests, bool) {
	score := requestScore(name)
	if score < 0 || p.kind(name) != counter {
		return requests{}, false
	}
	all := p.series[name]
	match := users(all)
	total := selector{name, match}
	if !slices.ContainsFunc(all, func(s series) bool { return selects(match, s.labels) }) {
		return requests{}, false
	}
	has := labelNames(all)
	for _, label := range resultLabels {
		if !slices.Contains(has, label) {
			continue
		}
		if bad := failed(label, values(all, label)); bad != nil {
			r := requests{total: total, bad: total.with(bad)}
			r.all, r.failed = sum(all, r.total.match...), sum(all, r.bad.match...)
			return r, true
		}
	}
	return requests{total: total, all: sum(all, match...)}, score >= leastScore
}

// words of counters of failures, beside one of all requests.
var (
	failures = regexp.MustCompile(`(^|_)(errors?|failures?|failed|exceptions)(_total|_count)?$`)
	requestW = regexp.MustCompile(`(^|_)(requests?|queries|messages|jobs|handled|calls)(_total|_count)?$`)
)

// pairs are counters of failures with the counter of all requests whose name is the same before.
func (p Page) pairs() []requests {
	var out []requests
	for _, bad := range p.names() {
		at := failures.FindStringIndex(bad)
		if at == nil || p.kind(bad) != counter || requestScore(bad) < 0 {
			continue
		}
		stem := strings.TrimSuffix(requestW.ReplaceAllString(bad[:at[0]], ""), "_")
		for _, name := range p.names() {
			at := requestW.FindStringIndex(name)
			if at == nil || name == bad || p.kind(name) != counter || strings.TrimSuffix(name[:at[0]], "_") != stem {
				continue
			}
			t, b := selector{name, users(p.series[name])}, selector{bad, users(p.series[bad])}
			out = append(out, requests{total: t, bad: b, all: sum(p.series[name], t.match...), failed: sum(p.series[bad], b.match...)})
		}
	}
	return out
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
