package agent

import (
	"cmp"
	"fmt"
	"net"
	"net/url"

	"github.com/sluicehq/sluice/internal/bundle/signature"
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
	// Keys are references to one or two public keys of minisign: whoever has their private keys gives
	// orders.
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
		v.bad("pull.cohort", "%s is not a cohort, expected 1 to 64 lower-case letters, digits, '.', '_' and '-', beginning with a letter or a digit",
			strictyaml.Quote(p.Cohort))
	}
	if len(p.Keys) == 0 || len(p.Keys) > signature.MaxKeys {
		v.bad("pull.keys", "are %d, expected one or two, such as file:/etc/sluice/order.pub", len(p.Keys))
	}
	for i, ref := range p.Keys {
		v.reference(strictyaml.Index("pull.keys", i), ref)
	}
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

// readKeys reads the public keys.
func (p *Pull) readKeys() ([]signature.Key, error) {
	var keys []signature.Key
	for i, ref := range p.Keys {
		text, err := secret.Resolve(ref)
		if err != nil {
			return nil, fmt.Errorf("pull.keys[%d]: %w", i, err)
		}
		k, err := signature.ParseKey(text.Reveal())
		if err != nil {
			return nil, fmt.Errorf("pull.keys[%d]: %w", i, err)
		}
		for _, other := range keys {
			if other.ID() == k.ID() {
				return nil, fmt.Errorf("pull.keys[%d]: %s is there twice", i, k.ID())
			}
		}
		keys = append(keys, k)
	}
	return keys, nil
}
