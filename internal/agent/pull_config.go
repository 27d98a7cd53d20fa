package agent

import (
	"cmp"
	"net"
	"net/url"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/listen"
	"github.com/sluicehq/sluice/internal/relay/order"
	"github.com/sluicehq/sluice/internal/secret"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Pull says where orders come from in place of workers that reach the agent.
type Pull struct {
	// Relay is where a sluice-relay listens, or a cache before it.
	Relay string `yaml:"relay"`
	// Cohort is the group of targets in which ids are unique. Default "default".
	Cohort string `yaml:"cohort"`
	// Keys are references to one or two public keys of minisign: whoever has their private keys
	// gives orders.
	Keys []string `yaml:"keys"`
	// Token is a reference to the token that the relay asks for.
	Token string `yaml:"token"`
	// TLS are references to certificates.
	TLS *dial.TLS `yaml:"tls"`
}

func (p *Pull) setDefaults() {
	if p != nil {
		p.Cohort = cmp.Or(p.Cohort, order.DefaultCohort)
	}
}

func (v checker) pull(p *Pull) {
	if p == nil {
		return
	}
	u, err := url.Parse(p.Relay)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "":
		v.bad("pull.relay", "%s is not a URL, expected one such as https://relay:7312", strictyaml.Quote(p.Relay))
	case u.Scheme == "http" && p.Token != "" && !listen.Loopback(net.JoinHostPort(u.Hostname(), u.Port())):
		v.bad("pull.relay", "carries the token in plain text, expected https://")
	}
	if !order.IsName(p.Cohort) {
		v.bad("pull.cohort", "%s is not a cohort, "+
			"expected 1 to 64 lower-case letters, digits, '.', '_' and '-', beginning with a letter or a digit",
			strictyaml.Quote(p.Cohort))
	}
	v.keys("pull.keys", p.Keys, "file:/etc/sluice/order.pub")
	if p.Token != "" {
		v.reference("pull.token", p.Token)
	}
	if t := p.TLS; t != nil {
		for field, ref := range map[string]string{"ca": t.CA, "cert": t.Cert, "key": t.Key} {
			if ref != "" {
				v.reference("pull.tls."+field, ref)
			}
		}
	}
}

func (v checker) reference(path, ref string) {
	if err := secret.Check(ref); err != nil {
		v.bad(path, "%s", err)
	}
}
