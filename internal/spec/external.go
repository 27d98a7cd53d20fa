package spec

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// Probe sends a request to every exposed target. Exactly one of HTTP and TCP is
// set.
type Probe struct {
	// HTTP is a URL to GET, TCP a host:port to connect to: templates over {{id}},
	// {{address}} and {{label.NAME}}.
	HTTP string `yaml:"http,omitempty" json:"http,omitempty"`
	TCP  string `yaml:"tcp,omitempty" json:"tcp,omitempty"`
	// Status is what HTTP must answer. Default: any from 200 to 299.
	Status int `yaml:"status,omitempty" json:"status,omitempty" jsonschema:"minimum=100,maximum=599"`
	// Contains must be in the first 64 KiB of the body.
	Contains string `yaml:"contains,omitempty" json:"contains,omitempty"`
	// Timeout bounds one attempt. Default 2s.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout"`
}

// Alerts asks an Alertmanager whether alerts fire.
type Alerts struct {
	// Alertmanager is its base URL, as the worker reaches it.
	Alertmanager string `yaml:"alertmanager" json:"alertmanager"`
	// Match are matchers in Alertmanager's form, such as severity="critical" or
	// service=~"edge.*"; an alert counts if it matches all.
	Match []string `yaml:"match" json:"match" jsonschema:"minItems=1"`
	// IgnoreOlder lets alerts that fired before the stage was applied not count.
	IgnoreOlder bool `yaml:"ignoreOlder,omitempty" json:"ignoreOlder,omitempty"`
}

// WebhookJudge asks a judge of the user's own. Its contract is in docs/health.md.
type WebhookJudge struct {
	URL string `yaml:"url" json:"url"`
	// Token is a reference, sent as a bearer token. It is resolved on the worker.
	Token string `yaml:"token,omitempty" json:"token,omitempty"`
	// Timeout bounds one attempt. Default 5s.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout"`
}

// External says that the check asks no source of series.
func (c Check) External() bool { return c.Probe != nil || c.Alerts != nil || c.Webhook != nil }

// seriesFields are those of checks that ask a source.
var seriesFields = []string{"value", "max", "min", "bad", "total", "against", "worse", "minSamples", "each", "outliers"}

// external checks a check that asks no source; false if it is of another form.
func (v *validator) external(path string, c Check) bool {
	var given []string
	for _, form := range []string{"probe", "alerts", "webhook"} {
		if v.given(path + "." + form) {
			given = append(given, form)
		}
	}
	if len(given) == 0 {
		return false
	}
	if len(given) > 1 {
		v.bad(path+"."+given[1], "stands beside %s at %s, expected one form of check", given[0], v.at(path+"."+given[0]))
		return true
	}
	v.foreign(path, "a check with "+given[0], seriesFields...)
	switch path := path + "." + given[0]; {
	case v.doc.Bad(path):
	case c.Probe != nil:
		v.foreign(path[:len(path)-len(".probe")], "a check with probe", "tolerate")
		v.probe(path, *c.Probe)
	case c.Alerts != nil:
		v.alerts(path, *c.Alerts)
	case c.Webhook != nil:
		if v.needs(path + ".url") {
			v.url(path+".url", c.Webhook.URL)
		}
		if v.doc.Has(path + ".token") {
			v.token(path+".token", c.Webhook.Token)
		}
		v.positive(path+".timeout", c.Webhook.Timeout)
	}
	v.tolerable(path, c)
	return true
}

func (v *validator) probe(path string, p Probe) {
	hasHTTP, hasTCP := v.given(path+".http"), v.given(path+".tcp")
	switch {
	case hasHTTP == hasTCP:
		v.bad(path, "expected exactly one of http and tcp, such as http: \"http://{{address}}/healthz\"")
	case hasHTTP:
		v.urlTemplate(path+".http", p.HTTP, tmpl.ID, tmpl.Address, tmpl.Label)
	case hasTCP:
		v.template(path+".tcp", p.TCP, tmpl.ID, tmpl.Address, tmpl.Label)
		v.foreign(path, "a probe with tcp", "status", "contains")
	}
	v.between(path+".status", p.Status, 100, 599)
	v.positive(path+".timeout", p.Timeout)
}

// matcher is the form of an Alertmanager matcher.
var matcher = regexp.MustCompile(`^\s*[a-zA-Z_][a-zA-Z0-9_]*\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^"\s,{}]+)\s*$`)

func (v *validator) alerts(path string, a Alerts) {
	if v.needs(path + ".alertmanager") {
		if u := v.url(path+".alertmanager", a.Alertmanager); u != nil && u.RawQuery != "" {
			v.bad(path+".alertmanager", "has a query (?), expected the base URL of an Alertmanager, such as http://alertmanager:9093")
		}
	}
	if v.needs(path+".match") && len(a.Match) == 0 {
		v.bad(path+".match", "is empty, expected at least one matcher, such as severity=\"critical\"")
	}
	for i, m := range a.Match {
		at := strictyaml.Index(path+".match", i)
		parts := matcher.FindStringSubmatch(m)
		if parts == nil {
			v.bad(at, "%s is not a matcher, expected one such as severity=\"critical\" or service=~\"edge.*\"", strictyaml.Quote(m))
			continue
		}
		if slices.Contains([]string{"=~", "!~"}, parts[1]) {
			if _, err := regexp.Compile(unquoted(parts[2])); err != nil {
				v.bad(at, "%s holds no regular expression: %s", strictyaml.Quote(m), err)
			}
		}
	}
}

func unquoted(s string) string {
	if len(s) < 2 || s[0] != '"' {
		return s
	}
	var out string
	if _, err := fmt.Sscanf(s, "%q", &out); err != nil {
		return s[1 : len(s)-1]
	}
	return out
}
