package spec

import (
	"regexp"
	"slices"
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
	if v.Has("health.identify.label") && !metricLabel.MatchString(h.Identify.Label) {
		v.Bad("health.identify.label", "%s is not a label, expected letters, digits and '_', not beginning with a digit", strictyaml.Quote(h.Identify.Label))
	}
	if path := "health.identify.value"; v.Has(path) {
		v.TargetTemplate(path, h.Identify.Value)
	}
	if path := "health.falseRollbackRate"; v.Has(path) {
		v.Rate(path, h.FalseRollbackRate, "more than every other good release would be taken back")
	}
	if v.Needs("health.checks") {
		v.checks()
	}
	v.traffic(h)
}

// source checks that there is exactly one place where numbers come from.
func (v *validator) source() {
	h := v.spec.Health
	hasProm, hasScrape := v.Given("health.prometheus"), v.Given("health.scrape")
	switch {
	case hasProm && hasScrape:
		v.Bad("health.scrape", "stands beside prometheus at %s, expected one source", v.At("health.prometheus"))
	case !hasProm && !hasScrape && !v.IsBad("health.checks") && !v.sourceless(h):
		v.Bad("health", "has no source, expected prometheus: http://host:9090 or scrape: {}")
	}
	if v.Has("health.prometheus") {
		v.BaseURL("health.prometheus", h.Prometheus, prometheusURL)
	}
	if s := h.Scrape; s != nil {
		v.URLTemplate("health.scrape.url", s.URL, ProxyBefore, tmpl.ID, tmpl.Address, tmpl.Label)
		v.Between("health.scrape.sample", s.Sample, 1, 1000)
		v.Positive("health.scrape.baseline", s.Baseline)
	}
}

// prometheusURL describes the address of a Prometheus API.
const prometheusURL = "the base URL of a Prometheus API, such as http://prometheus:9090"

func (v *validator) without(h Health) {
	seen := map[string]string{}
	for i, name := range h.Without {
		path := strictyaml.Index("health.without", i)
		v.OneOf(path, name, CheckAlive, CheckTraffic)
		if first, ok := seen[name]; ok {
			v.Bad(path, "%s is there twice, first at %s", strictyaml.Quote(name), v.At(first))
		}
		seen[name] = path
	}
}

// misspelt says that it is not known which always-on checks are meant to be left out.
func (v *validator) misspelt(h Health) bool {
	bad := v.IsBad("health.without")
	for i := range h.Without {
		bad = bad || v.IsBad(strictyaml.Index("health.without", i))
	}
	return bad
}

// traffic checks that the share-of-traffic check has something to count, or was
// left out on purpose.
func (v *validator) traffic(h Health) {
	left, misspelt, counted := slices.Contains(h.Without, CheckTraffic), v.misspelt(h), v.IsBad("health.checks")
	for i := range h.Checks {
		counted = counted || v.Given(strictyaml.Index("health.checks", i)+".total")
	}
	switch {
	case v.Given("health.traffic") && left:
		v.Bad("health.traffic", "is set, while without leaves the traffic check out, expected one of them")
	case v.Given("health.traffic"):
		v.query("health.traffic", h.Traffic)
	case !left && !counted && !misspelt && (v.Given("health.prometheus") || v.Given("health.scrape") || !v.onlyExternal()):
		v.Bad("health", "the always-on check %q has nothing to count, since no check has a total: expected traffic: with a query that counts requests, or without: [traffic] to leave the check out", CheckTraffic)
	}
}
