package agent

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/relay/order"
	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// Config is what agent.yaml says; docs/agent.md spells it out.
type Config struct {
	// ID is whom the agent takes itself for. Default: the host's name.
	ID string `yaml:"id"`
	// Listen is host:port. Default 127.0.0.1:7311.
	Listen string `yaml:"listen"`
	// Token is a reference to the bearer token that is asked for; empty for none.
	Token string `yaml:"token"`
	// TLS has the files with which to serve https.
	TLS TLS `yaml:"tls"`
	// Pull says where orders come from in place of workers that reach the agent; nil for workers.
	Pull *Pull `yaml:"pull"`
	// Keys are references to one or two public keys of minisign: every unit takes bundles only that
	// one of them has signed for it. None: nobody's signature is asked for.
	Keys []string `yaml:"keys"`
	// Folder is where everything is kept.
	Folder string `yaml:"folder"`
	// Units are what the host runs, by name.
	Units map[string]Unit `yaml:"units"`
}

// TLS names files: a certificate, its key, and those who sign the certificates that are asked of
// clients.
type TLS struct {
	Cert     string `yaml:"cert"`
	Key      string `yaml:"key"`
	ClientCA string `yaml:"clientCA"`
}

// Unit is one configuration of a consumer's.
type Unit struct {
	// To is the symbolic link that leads to the files of the release in effect.
	To string `yaml:"to"`
	// Check, Reload and Confirm are asked in this order: before the link is switched, after it, and
	// until the consumer shows that it runs the release. Each may be missing.
	Check   []string `yaml:"check"`
	Reload  []string `yaml:"reload"`
	Confirm *Confirm `yaml:"confirm"`
	// Keep is how many good releases stay unpacked. Default 3.
	Keep int `yaml:"keep"`
	// MinReloadInterval is how long a reload is put off after the last one.
	MinReloadInterval Duration `yaml:"minReloadInterval"`
	// Timeout bounds Check, and Reload. Default 30s.
	Timeout Duration `yaml:"timeout"`
	// Run is the user as whom commands run; empty for the agent's own.
	Run string `yaml:"run"`
	// Keys are those of the unit in place of the agent's.
	Keys []string `yaml:"keys"`
	// OnDrift says what happens when somebody changed files of the running release.
	OnDrift OnDrift `yaml:"onDrift"`
}

// Confirm is how a consumer shows what it runs: one of HTTP and Command.
type Confirm struct {
	// HTTP is a URL that must answer 200.
	HTTP string `yaml:"http"`
	// Command must end with 0.
	Command []string `yaml:"command"`
	// Contains must be in the answer, or in what the command prints. Default for HTTP: {{release}}.
	Contains string `yaml:"contains"`
	// Within is how long it is asked again. Default 10s.
	Within Duration `yaml:"within"`
}

// OnDrift is tell or heal.
type OnDrift string

// What happens about drift.
const (
	Tell OnDrift = "tell"
	Heal OnDrift = "heal"
)

// UnmarshalText takes one of the two words.
func (o *OnDrift) UnmarshalText(text []byte) error {
	if *o = OnDrift(text); *o != Tell && *o != Heal {
		return fmt.Errorf("is %s, expected tell or heal", strictyaml.Quote(string(text)))
	}
	return nil
}

// Duration is written with a unit: 30s.
type Duration time.Duration

// UnmarshalText reads a duration from 0s to a day.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 || v > 24*time.Hour || string(text) == "0" {
		return fmt.Errorf("is %s, expected a duration with its unit, such as 30s, of at most a day", strictyaml.Quote(string(text)))
	}
	*d = Duration(v)
	return nil
}

const maxConfig = 1 << 20

// The placeholders of commands.
const placeholderDir = "dir"

var placeholders = []string{tmpl.Release, placeholderDir, tmpl.Unit, tmpl.ID}

// Parse reads agent.yaml. The error is strictyaml.Problems: all that is wrong, with its places.
func Parse(file string, data []byte) (Config, error) {
	var c Config
	doc := strictyaml.Decode(file, data, maxConfig, nil, &c)
	if doc.Readable() {
		v := checker{doc}
		v.zeros(c)
		c.setDefaults()
		v.agent(c)
		for _, name := range slices.Sorted(maps.Keys(c.Units)) {
			v.unit(name, c.Units[name])
		}
		v.places(c)
	}
	return c, doc.Problems().Err()
}

func (c *Config) setDefaults() {
	if c.ID == "" {
		c.ID, _ = os.Hostname() // without one it is asked for
	}
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:7311")
	c.Pull.setDefaults()
	for name, u := range c.Units {
		u.Keep = cmp.Or(u.Keep, 3)
		u.Timeout = cmp.Or(u.Timeout, Duration(30*time.Second))
		u.OnDrift = cmp.Or(u.OnDrift, Tell)
		if u.Keys == nil {
			u.Keys = c.Keys
		}
		if u.Confirm != nil {
			u.Confirm.Within = cmp.Or(u.Confirm.Within, Duration(10*time.Second))
			if u.Confirm.HTTP != "" {
				u.Confirm.Contains = cmp.Or(u.Confirm.Contains, "{{release}}")
			}
		}
		c.Units[name] = u
	}
}

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
