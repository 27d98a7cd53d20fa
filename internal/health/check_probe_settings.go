package health

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// Probe sends a request to every exposed target. Exactly one of HTTP and TCP is set. An answer that
// is wrong breaches, and so does silence.
type Probe struct {
	// HTTP is a URL to ask, a template over {{id}}, {{address}} and {{label.NAME}}, such as
	// "http://{{address}}/healthz". Redirects are not followed.
	HTTP string `yaml:"http,omitempty" json:"http,omitempty"`
	// TCP is a host:port to connect to, a template over the same.
	TCP string `yaml:"tcp,omitempty" json:"tcp,omitempty"`
	// Method of an HTTP request. Default GET.
	Method string `yaml:"method,omitempty" json:"method,omitempty" jsonschema:"enum=GET,enum=HEAD"`
	// Status is the only one that is right. Default: any from 200 to 299.
	Status int `yaml:"status,omitempty" json:"status,omitempty" jsonschema:"minimum=200,maximum=599"`
	// Contains is a text that the first 64 KiB of the body must hold.
	Contains string `yaml:"contains,omitempty" json:"contains,omitempty"`
	// Host is the name that is asked for, in TLS, too, whatever address is dialled.
	Host string `yaml:"host,omitempty" json:"host,omitempty"`
	// Access is what a target wants of who asks it.
	dial.Access `yaml:",inline"`
	// Timeout bounds one attempt at a target. Default 2s for HTTP, 1s for TCP.
	Timeout spec.Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// Values of Probe.Method.
const (
	ProbeGET  = "GET"
	ProbeHEAD = "HEAD"
)

// maxContains bounds Probe.Contains, in bytes.
const maxContains = 1000

// Check checks that there is one thing to ask, and what to expect.
func (p *Probe) Check(s spec.Section) {
	switch what := s.AtMostOne("http", "tcp"); {
	case what == "http" && !s.IsBad("http") && !s.Given("tcp"):
		s.URLTemplate("http", p.HTTP, spec.ProxyBefore, tmpl.ID, tmpl.Address, tmpl.Label)
		s.PerTarget("http", p.HTTP)
	case what == "tcp" && !s.IsBad("tcp"):
		s.Foreign("a probe with tcp", "method", "status", "contains", "host", "token", "basicAuth", "header", "tls")
		s.Endpoint("tcp", p.TCP)
	case what == "":
		s.Lacks(`has neither http nor tcp, expected http: "http://{{address}}/healthz" or tcp: "{{address}}"`)
	}
	s.Access(p.Access)
	switch {
	case !s.Has("host"):
	case !hostForm.MatchString(p.Host):
		s.Bad("host", "is not a name, expected one such as www.example.com")
	case slices.ContainsFunc(slices.Collect(maps.Keys(p.Header)), func(name string) bool { return strings.EqualFold(name, "host") }):
		s.Bad("header", "has Host, and so has the probe at %s: keep one of them", s.At("host"))
	}
	s.OneOf("method", p.Method, ProbeGET, ProbeHEAD)
	s.Between("status", p.Status, 200, 599)
	switch {
	case !s.Has("contains"):
	case p.Contains == "" || len(p.Contains) > maxContains:
		s.Bad("contains", "has %d bytes, expected 1 to %d", len(p.Contains), maxContains)
	case p.Method == ProbeHEAD:
		s.Bad("contains", "cannot be checked with method %s at %s: its answers have no body", ProbeHEAD, s.At("method"))
	}
	s.AtMost("timeout", p.Timeout, spec.MaxAsk)
}

// hostForm is the form of a host, with a port or without.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(:[0-9]{1,5})?$`)

// access is what targets want, with the host among the headers.
func (p *Probe) access() dial.Access {
	a := p.Access
	if p.Host != "" {
		a.Header = maps.Clone(a.Header)
		keep(&a.Header, "Host", p.Host)
	}
	return a
}

// SetDefaults asks by GET, and waits for a second or two.
func (p *Probe) SetDefaults() {
	if p.TCP != "" {
		p.Timeout = cmp.Or(p.Timeout, spec.Duration(time.Second))
		return
	}
	p.Timeout, p.Method = cmp.Or(p.Timeout, spec.Duration(2*time.Second)), cmp.Or(p.Method, ProbeGET)
}

// Traits say that one lost packet is not harm.
func (p *Probe) Traits() spec.FormTraits {
	return spec.FormTraits{Shared: []string{"tolerate"}, Tolerate: 2}
}

// AddressUses are what is asked.
func (p *Probe) AddressUses() []spec.AddressUse {
	return []spec.AddressUse{{Path: "http", Template: p.HTTP}, {Path: "tcp", Template: p.TCP, TCP: true}}
}
