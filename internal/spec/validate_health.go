package spec

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// minEvery keeps a rollout from becoming a load test of its source.
const minEvery = Duration(100 * time.Millisecond)

// metricLabel is the form of a label's name in metrics.
var metricLabel = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func (v *validator) health() {
	h := v.spec.Health
	v.without(h)
	v.source()
	if v.doc.Has("health.identify.label") && !metricLabel.MatchString(h.Identify.Label) {
		v.bad("health.identify.label", "%s is not a label, expected letters, digits and '_', not beginning with a digit", strictyaml.Quote(h.Identify.Label))
	}
	if path := "health.identify.value"; v.doc.Has(path) && v.template(path, h.Identify.Value, tmpl.ID, tmpl.Address, tmpl.Label) && !strings.Contains(h.Identify.Value, "{{") {
		v.bad(path, "%s is the same for every target, expected a template over {{id}}, {{address}} and {{label.NAME}}", strictyaml.Quote(h.Identify.Value))
	}
	if path := "health.falseRollbackRate"; v.doc.Has(path) {
		v.rate(path, h.FalseRollbackRate, "more than every other good release would be taken back")
	}
	if v.needs("health.checks") {
		v.checks()
	}
	v.traffic(h)
}

// source checks that there is exactly one place where numbers come from.
func (v *validator) source() {
	h := v.spec.Health
	hasProm, hasScrape := v.given("health.prometheus"), v.given("health.scrape")
	switch {
	case hasProm && hasScrape:
		v.bad("health.scrape", "stands beside prometheus at %s, expected one source", v.at("health.prometheus"))
	case !hasProm && !hasScrape && !v.doc.Bad("health.checks") && !v.sourceless(h):
		v.bad("health", "has no source, expected prometheus: http://host:9090 or scrape: {}")
	}
	if v.doc.Has("health.prometheus") {
		v.baseURL("health.prometheus", h.Prometheus)
	}
	if s := h.Scrape; s != nil {
		if v.doc.Has("health.scrape.url") {
			v.urlTemplate("health.scrape.url", s.URL, tmpl.ID, tmpl.Address, tmpl.Label)
		}
		v.between("health.scrape.sample", s.Sample, 1, 1000)
		v.positive("health.scrape.baseline", s.Baseline)
	}
}

// baseURL checks the address of a Prometheus API.
func (v *validator) baseURL(path, text string) {
	if u := v.url(path, text); u != nil && u.RawQuery != "" {
		v.bad(path, "has a query (?), expected the base URL of a Prometheus API, such as http://prometheus:9090")
	}
}

func (v *validator) without(h Health) {
	seen := map[string]string{}
	for i, name := range h.Without {
		path := strictyaml.Index("health.without", i)
		v.oneOf(path, name, CheckAlive, CheckTraffic)
		if first, ok := seen[name]; ok {
			v.bad(path, "%s is there twice, first at %s", strictyaml.Quote(name), v.at(first))
		}
		seen[name] = path
	}
}

// misspelt says that it is not known which always-on checks are meant to be left out.
func (v *validator) misspelt(h Health) bool {
	bad := v.doc.Bad("health.without")
	for i := range h.Without {
		bad = bad || v.doc.Bad(strictyaml.Index("health.without", i))
	}
	return bad
}

// traffic checks that the share-of-traffic check has something to count, or was
// left out on purpose.
func (v *validator) traffic(h Health) {
	left, misspelt, counted := slices.Contains(h.Without, CheckTraffic), v.misspelt(h), v.doc.Bad("health.checks")
	for i := range h.Checks {
		counted = counted || v.given(strictyaml.Index("health.checks", i)+".total")
	}
	switch {
	case v.given("health.traffic") && left:
		v.bad("health.traffic", "is set, while without leaves the traffic check out, expected one of them")
	case v.given("health.traffic"):
		v.query("health.traffic", h.Traffic)
	case !left && !counted && !misspelt && (v.given("health.prometheus") || v.given("health.scrape") || !v.onlyExternal()):
		v.bad("health", "the always-on check %q has nothing to count, since no check has a total: expected traffic: with a query that counts requests, or without: [traffic] to leave the check out", CheckTraffic)
	}
}
