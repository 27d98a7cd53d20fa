package spec

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/matchers"
	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// Limits on checks that ask somebody else. A look reads for 45 s at most.
const (
	maxExternalTimeout = Duration(30 * time.Second)
	maxMatchers        = 20
	maxContains        = 1000
)

// externalForms are the fields that make a check ask somebody else than the source.
var externalForms = [...]string{"probe", "alerts", "webhook"}

// external checks a check that asks somebody else, and says whether it is one.
func (v *validator) external(path string, c Check) bool {
	found := ""
	for _, form := range externalForms {
		switch {
		case !v.given(path + "." + form):
		case found != "":
			v.bad(path+"."+form, "stands beside %s at %s, expected one of them in a check", found, v.at(path+"."+found))
		default:
			found = form
		}
	}
	if found == "" {
		return false
	}
	v.only(path, "a check with "+found, "tolerate")
	v.tolerable(path, c)
	if c.Probe != nil {
		v.probe(path+".probe", *c.Probe)
	}
	if c.Alerts != nil {
		v.alerts(path+".alerts", *c.Alerts)
	}
	if c.Webhook != nil {
		v.webhook(path+".webhook", *c.Webhook)
	}
	return true
}

func (v *validator) probe(path string, p Probe) {
	hasHTTP, hasTCP := v.given(path+".http"), v.given(path+".tcp")
	switch {
	case hasHTTP && hasTCP:
		v.bad(path+".tcp", "stands beside http at %s, expected one of them in a check", v.at(path+".http"))
	case hasHTTP && !v.doc.Bad(path+".http"):
		v.urlTemplate(path+".http", p.HTTP, tmpl.ID, tmpl.Address, tmpl.Label)
		v.ofTarget(path+".http", p.HTTP)
	case hasTCP && !v.doc.Bad(path+".tcp"):
		v.foreign(path, "a probe with tcp", "method", "status", "contains")
		v.endpoint(path+".tcp", p.TCP)
	case !hasHTTP && !hasTCP:
		v.bad(path, `asks nothing, expected http: "http://{{address}}/healthz" or tcp: "{{address}}"`)
	}
	v.oneOf(path+".method", p.Method, ProbeGET, ProbeHEAD)
	v.between(path+".status", p.Status, 200, 599)
	switch at := path + ".contains"; {
	case !v.doc.Has(at):
	case p.Contains == "" || len(p.Contains) > maxContains:
		v.bad(at, "has %d bytes, expected 1 to %d", len(p.Contains), maxContains)
	case p.Method == ProbeHEAD:
		v.bad(at, "stands beside method %s at %s, to which no answer has a body", ProbeHEAD, v.at(path+".method"))
	}
	v.timeout(path+".timeout", p.Timeout)
}

// endpoint checks a template of host:port. An address has both.
func (v *validator) endpoint(path, text string) {
	if !v.template(path, text, tmpl.ID, tmpl.Address, tmpl.Label) {
		return
	}
	if v.ofTarget(path, text); v.doc.Bad(path) {
		return
	}
	host, port, err := net.SplitHostPort(placeholder.ReplaceAllStringFunc(text, func(name string) string {
		if strings.Trim(name, "{} ") == tmpl.Address {
			return "x:1"
		}
		return "1"
	}))
	n, notNumber := strconv.Atoi(port)
	if err != nil || notNumber != nil || host == "" || n < 1 || n > 65535 || strings.ContainsAny(host, "/@ ") {
		v.bad(path, `%s does not give host:port, expected "{{address}}" (which has a port), or a host and a port such as "{{label.ip}}:9000"`, strictyaml.Quote(text))
	}
}

// ofTarget refuses a template that is the same for all.
func (v *validator) ofTarget(path, text string) {
	if !v.doc.Bad(path) && !strings.Contains(text, "{{") {
		v.bad(path, "is the same for every target, expected a template over {{id}}, {{address}} and {{label.NAME}}")
	}
}

func (v *validator) alerts(path string, a Alerts) {
	if at := path + ".alertmanager"; v.needs(at) && !v.doc.Bad(at) {
		if u := v.url(at, a.Alertmanager); u != nil && u.RawQuery != "" {
			v.bad(at, "has a query (?), expected the base URL of an Alertmanager, such as http://alertmanager:9093")
		}
	}
	if v.needs(path + ".match") {
		v.matchers(path+".match", a.Match)
	}
	if v.given(path + ".watchdog") {
		v.matchers(path+".watchdog", a.Watchdog)
	}
}

func (v *validator) matchers(path string, all []string) {
	if n := len(all); !v.doc.Bad(path) && (n == 0 || n > maxMatchers) {
		v.bad(path, "has %d matchers, expected 1 to %d, such as severity=critical", n, maxMatchers)
		return
	}
	for i, text := range all {
		at := strictyaml.Index(path, i)
		if v.doc.Bad(at) {
			continue
		}
		if _, err := matchers.Parse(text); err != nil {
			if inside, ok := errors.AsType[*matchers.Error](err); ok {
				v.doc.AddInside(at, inside.Offset, inside.Message)
				continue
			}
			v.bad(at, "%s", err)
		}
	}
}

func (v *validator) webhook(path string, w WebhookJudge) {
	if at := path + ".url"; v.needs(at) && !v.doc.Bad(at) {
		v.url(at, w.URL)
	}
	if v.doc.Has(path + ".token") {
		v.token(path+".token", w.Token)
	}
	v.timeout(path+".timeout", w.Timeout)
}

func (v *validator) timeout(path string, d Duration) {
	v.positive(path, d)
	if v.doc.Has(path) && d > maxExternalTimeout {
		v.bad(path, "is %s, expected at most %s", d, maxExternalTimeout)
	}
}

// onlyExternal says whether no check, as written, is about a source.
func (v *validator) onlyExternal() bool {
	for i := range v.spec.Health.Checks {
		path := strictyaml.Index("health.checks", i)
		if v.doc.Bad(path) || v.given(path+".exercise") || !slices.ContainsFunc(externalForms[:], func(form string) bool { return v.given(path + "." + form) }) {
			return false
		}
	}
	return len(v.spec.Health.Checks) > 0
}

// sourceless says whether the spec does without a source, and checks that it then
// asks for nothing that only a source can tell.
func (v *validator) sourceless(h Health) bool {
	switch {
	case !v.onlyExternal():
		return false
	case v.given("health.identify"):
		v.bad("health.identify", "means nothing without a source of metrics, expected it left out, or prometheus or scrape beside it")
	case !slices.Contains(h.Without, CheckTraffic) && !v.misspelt(h):
		v.bad("health", "has no source, which the always-on check %q needs, while no other check does: expected prometheus: http://host:9090 or scrape: {}, or without: [traffic] to leave that check out", CheckTraffic)
	}
	return true
}
