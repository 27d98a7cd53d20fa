package spec

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// AddressUse is a field of a spec by which the worker connects to targets.
type AddressUse struct {
	// Path is the field's, such as "driver.http.url"; a default counts, too.
	Path string
	// Template is a URL or, with TCP, host:port.
	Template string
	// TCP says that there is no URL around it, in which a path would stand.
	TCP bool

	unit string
}

// Addressed is implemented by settings by which the worker connects to targets. The path of a use
// is that of a field in the settings, such as "url".
type Addressed interface {
	AddressUses() []AddressUse
}

// AddressUses are all of them. What kinds does not know has none.
func (s Spec) AddressUses(kinds Kinds) []AddressUse {
	var uses []AddressUse
	of := func(unit, path string, settings any) {
		a, ok := settings.(Addressed)
		if !ok {
			return
		}
		for _, u := range a.AddressUses() {
			if u.Path, u.unit = path+"."+u.Path, unit; u.Template != "" {
				uses = append(uses, u)
			}
		}
	}
	for _, u := range s.drivers() {
		if d, err := decode(kinds.Drivers, u.driver.Choice); err == nil {
			of(u.unit, u.path+"."+u.driver.Name, d)
		}
	}
	of(s.Unit, "health."+s.Health.Source.Name, kinds.Source(s.Health))
	for i, c := range s.Health.Checks {
		if form := kinds.Form(c); form != nil {
			of(s.Unit, strictyaml.Index("health.checks", i)+"."+c.Form.Name, form)
		}
	}
	return uses
}

// addressed matches what goes to the host of an address, with what follows it.
var addressed = regexp.MustCompile(`^(?:https?://)?\{\{\s*` + tmpl.Address + `\s*\}\}(.*)$`)

// Check says what is wrong with connecting to a target by its address and labels; empty when
// nothing is. An address has a port unless the template has it: nobody would notice that requests
// go to port 80 instead.
func (u AddressUse) Check(id, address string, labels map[string]string) string {
	if alone, after := u.asAuthority(); alone {
		if message := u.port(address, after); message != "" {
			return message
		}
	}
	values := tmpl.ForTarget(id, address, labels).With(tmpl.Unit, u.unit)
	_, err := tmpl.FillEscaped(u.Template, values, tmpl.EscapeURL)
	if err == nil && !u.TCP { // with TCP an address may have a path, which means nothing
		_, _, err = tmpl.FillURL(u.Template, values)
	}
	if err != nil {
		return fmt.Sprintf("does not fit %s (%s): %s", u.Path, u.Template, err)
	}
	return ""
}

// asAuthority says whether the address is where the template goes to, and whether the template has
// a port after it.
func (u AddressUse) asAuthority() (alone, after bool) {
	m := addressed.FindStringSubmatch(u.Template)
	return m != nil, m != nil && strings.HasPrefix(m[1], ":")
}

// portAtEnd matches a template whose value ends with a port, or may.
var portAtEnd = regexp.MustCompile(`(:[0-9]+|\}\})$`)

// addressHasPort checks the template of a fleet's addresses where it cannot give a port.
func (v *validator) addressHasPort(path, template string) {
	authority, _, _ := strings.Cut(template, "/")
	if portAtEnd.MatchString(authority) {
		return // what a label gives is known when the fleet is listed
	}
	for _, u := range v.spec.AddressUses(v.kinds) {
		if alone, after := u.asAuthority(); alone && !after {
			v.Bad(path, "%s gives addresses without a port, which %s (%s) needs: expected host:port, such as \"%s:8080\"",
				strictyaml.Quote(template), u.Path, u.Template, authority)
			return
		}
	}
}

// port checks that there is one port, of the address or after it.
func (u AddressUse) port(address string, after bool) string {
	authority, _, _ := strings.Cut(address, "/")
	_, port, err := net.SplitHostPort(authority)
	ip, notIP := netip.ParseAddr(authority)
	quoted := strictyaml.Quote(address)
	switch n, notNumber := strconv.Atoi(port); {
	case notIP == nil && ip.Is6():
		return fmt.Sprintf("%s is an IPv6 address without brackets, expected one such as [%s]:8080", quoted, authority)
	case (err != nil || port == "") && !after:
		return fmt.Sprintf(
			"%s has no port, which %s (%s) needs: expected host:port, such as %s:8080",
			quoted, u.Path, u.Template, strings.TrimSuffix(authority, ":"))
	case err == nil && port != "" && after:
		return fmt.Sprintf("%s has a port, and so has %s (%s): expected one of them", quoted, u.Path, u.Template)
	case err == nil && !after && (notNumber != nil || n < 1 || n > 65535):
		return fmt.Sprintf("%s has the port %s, expected 1 to 65535", quoted, port)
	}
	return ""
}
