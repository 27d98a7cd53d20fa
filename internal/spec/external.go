package spec

import (
	"cmp"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Probe sends a request to every exposed target. Exactly one of HTTP and TCP is
// set. An answer that is wrong breaches, and so does silence.
type Probe struct {
	// HTTP is a URL to ask, a template over {{id}}, {{address}} and {{label.NAME}},
	// such as "http://{{address}}/healthz". Redirects are not followed.
	HTTP string `yaml:"http,omitempty" json:"http,omitempty"`
	// TCP is a host:port to connect to, a template over the same.
	TCP string `yaml:"tcp,omitempty" json:"tcp,omitempty"`
	// Method of an HTTP request. Default GET.
	Method string `yaml:"method,omitempty" json:"method,omitempty" jsonschema:"enum=GET,enum=HEAD"`
	// Status is the only one that is right. Default: any from 200 to 299.
	Status int `yaml:"status,omitempty" json:"status,omitempty" jsonschema:"minimum=200,maximum=599"`
	// Contains is a text that the first 64 KiB of the body must hold.
	Contains string `yaml:"contains,omitempty" json:"contains,omitempty"`
	// Timeout bounds one attempt at a target. Default 2s for HTTP, 1s for TCP.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// Alerts asks an Alertmanager whether an alert fires that began after the stage was
// applied. Silenced and inhibited ones do not count.
type Alerts struct {
	// Alertmanager is its base URL, as the worker reaches it.
	Alertmanager string `yaml:"alertmanager" json:"alertmanager"`
	// Match are matchers as Alertmanager writes them, all of which an alert must
	// fulfil to count, with $unit, $release, $previous and $stage in their values.
	Match []string `yaml:"match" json:"match" jsonschema:"minItems=1,maxItems=20"`
	// IgnoreOlder lets the check pass while alerts fire that fired before the stage,
	// too. Without, it holds until they are over.
	IgnoreOlder bool `yaml:"ignoreOlder,omitempty" json:"ignoreOlder,omitempty"`
	// Watchdog are matchers of an alert that always fires. When it does not, nobody
	// evaluates alerts and the check is NODATA.
	Watchdog []string `yaml:"watchdog,omitempty" json:"watchdog,omitempty" jsonschema:"maxItems=20"`
}

// WebhookJudge asks a judge of the user's own for a verdict.
type WebhookJudge struct {
	// URL is asked with POST, by the contract of docs/health.md. Redirects are not
	// followed.
	URL string `yaml:"url" json:"url"`
	// Token is a reference, ${env:NAME} or file:/path, sent as a bearer token.
	// It is resolved on the worker.
	Token string `yaml:"token,omitempty" json:"token,omitempty"`
	// Timeout bounds one attempt. Default 5s.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout"`
}

// External says whether the check asks somebody else than the source of health.
func (c Check) External() bool { return c.Probe != nil || c.Alerts != nil || c.Webhook != nil }

// Sourceless says whether nothing has to be read from a source.
func (h Health) Sourceless() bool {
	return h.Traffic == "" && slices.Contains(h.Without, CheckTraffic) &&
		!slices.ContainsFunc(h.Checks, func(c Check) bool { return !c.External() || c.Exercise != nil })
}

// Defaults of checks that ask somebody else.
const (
	defaultProbeHTTP = Duration(2 * time.Second)
	defaultProbeTCP  = Duration(time.Second)
	defaultWebhook   = Duration(5 * time.Second)
	// defaultProbeTolerate: one lost packet is not harm.
	defaultProbeTolerate = 2
)

// fillExternal sets what checks leave out that ask somebody else. How much a probe
// tolerates is left out only if the file says so: 0 is a choice.
func fillExternal(doc *strictyaml.Document, h *Health) {
	for i := range h.Checks {
		c := &h.Checks[i]
		if p := c.Probe; p != nil {
			if !doc.Has(strictyaml.Index("health.checks", i) + ".tolerate") {
				c.Tolerate = min(defaultProbeTolerate, mostTolerated(*h))
			}
			if p.TCP != "" {
				p.Timeout = cmp.Or(p.Timeout, defaultProbeTCP)
			} else {
				p.Timeout, p.Method = cmp.Or(p.Timeout, defaultProbeHTTP), cmp.Or(p.Method, ProbeGET)
			}
		}
		if w := c.Webhook; w != nil {
			w.Timeout = cmp.Or(w.Timeout, defaultWebhook)
		}
	}
}

// Values of Probe.Method.
const (
	ProbeGET  = "GET"
	ProbeHEAD = "HEAD"
)
