package agent

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/relay/order"
	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// checker reports what a type cannot say.
type checker struct{ doc *strictyaml.Document }

func (v checker) bad(path, format string, args ...any) { v.doc.Add(path, fmt.Sprintf(format, args...)) }

// zeros refuses what would be taken for the default.
func (v checker) zeros(c Config) {
	for name, u := range c.Units {
		at := strictyaml.Field("units", name)
		if u.Keep == 0 && v.doc.Has(at+".keep") {
			v.bad(at+".keep", "is 0, expected 1 to 100")
		}
		if u.Timeout == 0 && v.doc.Has(at+".timeout") {
			v.bad(at+".timeout", "is 0s, expected more")
		}
		if u.Confirm != nil && u.Confirm.Within == 0 && v.doc.Has(at+".confirm.within") {
			v.bad(at+".confirm.within", "is 0s, expected more")
		}
	}
}

func (v checker) agent(c Config) {
	if !order.IsID(c.ID) {
		v.bad("id", "%s is not an id, expected letters, digits and '.', '_', ':', '@', '-'", strictyaml.Quote(c.ID))
	}
	if c.Token != "" {
		v.reference("token", c.Token)
	}
	v.pull(c.Pull)
	if v.doc.Has("keys") {
		v.keys("keys", c.Keys, "file:/etc/sluice/bundle.pub")
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		v.bad("tls", "cert and key belong together, expected both")
	}
	if c.TLS.ClientCA != "" && c.TLS.Cert == "" {
		v.bad("tls.clientCA", "asks clients for certificates, which needs cert and key, too")
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		v.bad("listen", "%s is not an address, expected host:port", strictyaml.Quote(c.Listen))
	} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && !c.guarded() {
		v.bad("listen", "%s", errExposed)
	}
	v.absolute("folder", c.Folder)
	if len(c.Units) == 0 {
		v.bad("units", "there are none, expected at least one")
	}
}

var errExposed = errors.New("is not on loopback, and anybody there could give orders: expected a token, or tls with clientCA")

// guarded says that whoever gives orders must prove to be allowed to.
func (c Config) guarded() bool { return c.Token != "" || c.TLS.ClientCA != "" }

func (v checker) absolute(path, value string) {
	switch {
	case value == "":
		v.bad(path, "is missing, expected an absolute path")
	case !filepath.IsAbs(value) || filepath.Clean(value) != value || value == "/":
		v.bad(path, "%s is not an absolute path without '..', '//' and a '/' at its end", strictyaml.Quote(value))
	}
}

func (v checker) unit(name string, u Unit) {
	at := strictyaml.Field("units", name)
	if !order.IsName(name) {
		v.bad(at, "%s is not a unit, expected 1 to 64 lower-case letters, digits, '.', '_' and '-', beginning with a letter or a digit",
			strictyaml.Quote(name))
	}
	v.absolute(at+".to", u.To)
	v.argv(at+".check", u.Check)
	v.argv(at+".reload", u.Reload)
	if c := u.Confirm; c != nil {
		v.confirm(at+".confirm", *c)
	}
	if v.doc.Has(at + ".keys") {
		v.keys(at+".keys", u.Keys, "file:/etc/sluice/bundle.pub")
	}
	if u.Keep < 1 || u.Keep > 100 {
		v.bad(at+".keep", "is %d, expected 1 to 100", u.Keep)
	}
	if u.Run != "" && os.Geteuid() != 0 {
		v.bad(at+".run", "only root runs commands as another user")
	}
}

func (v checker) confirm(at string, c Confirm) {
	if (c.HTTP == "") == (len(c.Command) == 0) {
		v.bad(at, "expected one of http and command")
		return
	}
	v.argv(at+".command", c.Command)
	v.template(at+".contains", c.Contains)
	v.template(at+".http", c.HTTP)
	if c.HTTP != "" {
		if u, err := url.Parse(c.HTTP); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			v.bad(at+".http", "%s is not a URL, expected http:// or https:// and a host", strictyaml.Quote(c.HTTP))
		}
	}
	said := strings.Join(append(slices.Clone(c.Command), c.HTTP, c.Contains), " ")
	if !strings.Contains(said, "{{release}}") && !strings.Contains(said, "{{dir}}") {
		v.bad(at, "shows no release, expected {{release}} or {{dir}} in it")
	}
}

func (v checker) argv(at string, argv []string) {
	if v.doc.Has(at) && len(argv) == 0 {
		v.bad(at, "is empty, expected a program and its arguments")
	}
	for i, arg := range argv {
		if i == 0 && (arg == "" || strings.Contains(arg, "{{")) {
			v.bad(strictyaml.Index(at, 0), "%s is not a fixed program", strictyaml.Quote(arg))
		}
		v.template(strictyaml.Index(at, i), arg)
	}
}

func (v checker) template(at, text string) {
	if err := tmpl.Check(text, placeholders...); err != nil {
		v.bad(at, "%s", err)
	}
}

// places refuses links that are in each other's way.
func (v checker) places(c Config) {
	names := slices.Sorted(maps.Keys(c.Units))
	within := func(inner, outer string) bool { return inner == outer || strings.HasPrefix(inner, outer+"/") }
	for i, name := range names {
		to, at := c.Units[name].To, strictyaml.Field("units", name)+".to"
		if to == "" {
			continue
		}
		if c.Folder != "" && (within(to, c.Folder) || within(c.Folder, to)) {
			v.bad(at, "%s is in the way of folder, expected a place of its own", strictyaml.Quote(to))
		}
		for _, other := range names[:i] {
			if o := c.Units[other].To; o != "" && (within(to, o) || within(o, to)) {
				v.bad(at, "%s is in the way of the unit %s, which has %s", strictyaml.Quote(to), other, strictyaml.Quote(o))
			}
		}
	}
}
