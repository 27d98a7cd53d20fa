package spec

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/tmpl"
)

// Placed is implemented by the settings of a driver that know where an order for a target goes: a
// template that, filled for two targets, must not give the same. Empty if they do not know.
type Placed interface{ Place() string }

// Places answers a function that tells where the drivers send a target's orders, in one spelling:
// one place for each part. It is empty where that is not known.
func (s Spec) Places(kinds Kinds) func(id, address string, labels map[string]string) []string {
	drivers := s.drivers()
	templates := make([]string, len(drivers))
	for i, u := range drivers {
		if d, err := decode(kinds.Drivers, u.driver.Choice); err == nil {
			if p, ok := any(d).(Placed); ok {
				templates[i] = p.Place()
			}
		}
	}
	return func(id, address string, labels map[string]string) []string {
		out := make([]string, len(drivers))
		for i, u := range drivers {
			values := tmpl.ForTarget(id, address, labels).With(tmpl.Unit, u.unit).With(tmpl.Release, "").With(tmpl.Fence, "")
			if where, err := tmpl.Fill(templates[i], values); err == nil { // else AddressUse.Check says why
				out[i] = oneSpelling(where)
			}
		}
		return out
	}
}

// ownPlace refuses settings of a driver that send the orders of several targets, or of several
// units, to one place. A rollout that runs already goes on with such settings.
func (s Section) ownPlace(settings Settings) {
	if a, ok := settings.(Addressed); ok {
		for _, u := range a.AddressUses() {
			s.PerTarget(u.Path, u.Template)
			s.perUnit(u.Path, u.Template)
		}
	}
}

// perUnit refuses a URL that is the same for every unit: the rollouts of two units would undo each
// other there.
func (s Section) perUnit(field, text string) {
	names := func(m []string) bool { return m[1] == tmpl.Unit }
	if !s.IsBad(field) && !slices.ContainsFunc(placeholder.FindAllStringSubmatch(text, -1), names) {
		s.Bad(field, "is the same for every unit, and rollouts of two units would undo each other there: "+
			"expected {{unit}} in it, such as …/units/{{unit}} or …?unit={{unit}}")
	}
}

// oneSpelling spells a URL as every other that leads to the same place: hosts in lower case without
// a final dot, IP addresses in their shortest form, ports always. What is no URL stays as it is.
func oneSpelling(where string) string {
	u, err := url.Parse(where)
	if err != nil || u.Host == "" {
		return where
	}
	host, port := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), strings.TrimLeft(u.Port(), "0")
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.Unmap().String()
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	u.Host = net.JoinHostPort(host, port)
	return u.String()
}
