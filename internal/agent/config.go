package agent

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

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
