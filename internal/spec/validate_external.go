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
		case !v.Given(path + "." + form):
		case found != "":
			v.Bad(path+"."+form, "stands beside %s at %s, expected one of them in a check", found, v.At(path+"."+found))
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
	hasHTTP, hasTCP := v.Given(path+".http"), v.Given(path+".tcp")
	switch {
	case hasHTTP && hasTCP:
		v.Bad(path+".tcp", "stands beside http at %s, expected one of them in a check", v.At(path+".http"))
	case hasHTTP && !v.IsBad(path+".http"):
		v.URLTemplate(path+".http", p.HTTP, ProxyBefore, tmpl.ID, tmpl.Address, tmpl.Label)
		v.ofTarget(path+".http", p.HTTP)
	case hasTCP && !v.IsBad(path+".tcp"):
		v.In(path).Foreign("a probe with tcp", "method", "status", "contains")
		v.endpoint(path+".tcp", p.TCP)
	case !hasHTTP && !hasTCP:
		v.Bad(path, `asks nothing, expected http: "http://{{address}}/healthz" or tcp: "{{address}}"`)
	}
	v.OneOf(path+".method", p.Method, ProbeGET, ProbeHEAD)
	v.Between(path+".status", p.Status, 200, 599)
	switch at := path + ".contains"; {
	case !v.Has(at):
	case p.Contains == "" || len(p.Contains) > maxContains:
		v.Bad(at, "has %d bytes, expected 1 to %d", len(p.Contains), maxContains)
	case p.Method == ProbeHEAD:
		v.Bad(at, "stands beside method %s at %s, to which no answer has a body", ProbeHEAD, v.At(path+".method"))
	}
	v.AtMost(path+".timeout", p.Timeout, maxExternalTimeout)
}

// endpoint checks a template of host:port. An address has both.
func (v *validator) endpoint(path, text string) {
	if !v.Template(path, text, tmpl.ID, tmpl.Address, tmpl.Label) {
		return
	}
	if v.ofTarget(path, text); v.IsBad(path) {
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
		v.Bad(path, `%s does not give host:port, expected "{{address}}" (which has a port), or a host and a port such as "{{label.ip}}:9000"`, strictyaml.Quote(text))
	}
}

// ofTarget refuses a template that is the same for all.
func (v *validator) ofTarget(path, text string) {
	if !v.IsBad(path) && !strings.Contains(text, "{{") {
		v.Bad(path, "is the same for every target, expected a template over {{id}}, {{address}} and {{label.NAME}}")
	}
}

func (v *validator) alerts(path string, a Alerts) {
	if at := path + ".alertmanager"; v.Needs(at) && !v.IsBad(at) {
		v.BaseURL(at, a.Alertmanager, "the base URL of an Alertmanager, such as http://alertmanager:9093")
	}
	if v.Needs(path + ".match") {
		v.matchers(path+".match", a.Match)
	}
	if v.Given(path + ".watchdog") {
		v.matchers(path+".watchdog", a.Watchdog)
	}
}

func (v *validator) matchers(path string, all []string) {
	if n := len(all); !v.IsBad(path) && (n == 0 || n > maxMatchers) {
		v.Bad(path, "has %d matchers, expected 1 to %d, such as severity=critical", n, maxMatchers)
		return
	}
	for i, text := range all {
		at := strictyaml.Index(path, i)
		if v.IsBad(at) {
			continue
		}
		if _, err := matchers.Parse(text); err != nil {
			if inside, ok := errors.AsType[*matchers.Error](err); ok {
				v.BadInside(at, inside.Offset, inside.Message)
				continue
			}
			v.Bad(at, "%s", err)
		}
	}
}

func (v *validator) webhook(path string, w WebhookJudge) {
	if at := path + ".url"; v.Needs(at) && !v.IsBad(at) {
		v.URL(at, w.URL, TokenBeside)
	}
	v.Token(path+".token", w.Token)
	v.AtMost(path+".timeout", w.Timeout, maxExternalTimeout)
}

// onlyExternal says whether no check, as written, is about a source.
func (v *validator) onlyExternal() bool {
	for i := range v.spec.Health.Checks {
		path := strictyaml.Index("health.checks", i)
		if v.IsBad(path) || v.Given(path+".exercise") || !slices.ContainsFunc(externalForms[:], func(form string) bool { return v.Given(path + "." + form) }) {
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
	case v.Given("health.identify"):
		v.Bad("health.identify", "means nothing without a source of metrics, expected it left out, or prometheus or scrape beside it")
	case !slices.Contains(h.Without, CheckTraffic) && !v.misspelt(h):
		v.Bad("health", "has no source, which the always-on check %q needs, while no other check does: expected prometheus: http://host:9090 or scrape: {}, or without: [traffic] to leave that check out", CheckTraffic)
	}
	return true
}
