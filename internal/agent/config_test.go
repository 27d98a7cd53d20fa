package agent

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/relay/order"
)

const exampleConfig = `id: web-1
listen: 127.0.0.1:7311
token: file:/etc/sluice/token
folder: /var/lib/sluice-agent
units:
  features:
    to: /etc/app/features
    check: [nginx, -t, -c, "{{dir}}/nginx.conf"]
    reload: [systemctl, reload, app]
    confirm: {http: "http://127.0.0.1:8080/version", contains: "{{release}}", within: 20s}
    keep: 5
    minReloadInterval: 0s
    timeout: 1m
    onDrift: heal
  flags: {to: /etc/app/flags}
`

func TestParse(t *testing.T) {
	c, err := Parse("agent.yaml", []byte(exampleConfig))
	require.NoError(t, err)
	u := c.Units["features"]
	require.Equal(t, []string{"nginx", "-t", "-c", "{{dir}}/nginx.conf"}, u.Check)
	require.Equal(t, Duration(20*time.Second), u.Confirm.Within)
	require.Equal(t, Heal, u.OnDrift)
	require.Equal(t, Unit{To: "/etc/app/flags", Keep: 3, Timeout: Duration(30 * time.Second), OnDrift: Tell}, c.Units["flags"])

	c, err = Parse("agent.yaml", []byte("keys: [file:/a, file:/b]\n"+strings.Replace(exampleConfig, "keep: 5", `keys: ["${env:KEY}"]`, 1)))
	require.NoError(t, err)
	require.Equal(t, []string{"${env:KEY}"}, c.Units["features"].Keys)
	require.Equal(t, []string{"file:/a", "file:/b"}, c.Units["flags"].Keys, "the agent's where it has none of its own")

	host, err := os.Hostname()
	require.NoError(t, err)
	c, err = Parse("agent.yaml", []byte("folder: /var/lib/sluice-agent\nunits: {flags: {to: /etc/flags, confirm: {http: \"http://127.0.0.1/\"}}}\n"))
	require.NoError(t, err)
	require.Equal(t, host, c.ID)
	require.Equal(t, "127.0.0.1:7311", c.Listen)
	require.Equal(t, Confirm{HTTP: "http://127.0.0.1/", Contains: "{{release}}", Within: Duration(10 * time.Second)}, *c.Units["flags"].Confirm)
}

// The settings in the documentation are valid, and every field is in it.
func TestParseDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/agent.md")
	require.NoError(t, err)
	_, text, _ := strings.Cut(string(page), "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	_, err = Parse("docs/agent.md", []byte(text))
	require.NoError(t, err)
	for _, fields := range []reflect.Type{reflect.TypeFor[Config](), reflect.TypeFor[Unit](), reflect.TypeFor[Confirm](), reflect.TypeFor[TLS]()} {
		for f := range fields.Fields() {
			require.Regexp(t, "[`{ ]"+f.Tag.Get("yaml")+"[`:.]", string(page), f.Name)
		}
	}
}

// Each change of the example is one mistake, with its place.
func TestParseInvalid(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"keep: 5", "kep: 5", `agent.yaml:11:5: unknown field "kep" in units.features, did you mean "keep"?`},
		{"keep: 5", "keep: 5\n    keep: 6", `agent.yaml:12:5: units.features: duplicate key "keep", which is already there at 11:5`},
		{"keep: 5", "keep: 0.5", "agent.yaml:11:11: units.features.keep: is \"0.5\", expected a whole number"},
		{"keep: 5", "keep: 0", "agent.yaml:11:11: units.features.keep: is 0, expected 1 to 100"},
		{"timeout: 1m", "timeout: 0s", "agent.yaml:13:14: units.features.timeout: is 0s, expected more"},
		{"within: 20s", "within: 0s", "units.features.confirm.within: is 0s, expected more"},
		{"keep: 5", "keys: []", "agent.yaml:11:11: units.features.keys: are 0, expected one or two, such as file:/etc/sluice/bundle.pub"},
		{"keep: 5", "keys: [file:/a, file:/b, file:/c]", "agent.yaml:11:11: units.features.keys: are 3, expected one or two"},
		{"keep: 5", "keys:", "agent.yaml:11:10: units.features.keys: "},
		{"id: web-1", "id: web-1\nkeys: ~", "agent.yaml:2:7: keys: "},
		{"id: web-1", "id: web-1\nkeys: [RWhunter2]", "agent.yaml:2:8: keys[0]: not a reference to a secret"},
		{"keep: 5", "keep: -1", "agent.yaml:11:11: units.features.keep: is -1, expected 1 to 100"},
		{"id: web-1", `id: "a b"`, `agent.yaml:1:5: id: "a b" is not an id`},
		{"127.0.0.1:7311\ntoken: file:/etc/sluice/token", "0.0.0.0:7311", "agent.yaml:2:9: listen: is not on loopback"},
		{"127.0.0.1:7311", "here", `agent.yaml:2:9: listen: "here" is not an address, expected host:port`},
		{"file:/etc/sluice/token", "hunter2", "agent.yaml:3:8: token: not a reference to a secret"},
		{"folder: /var/lib/sluice-agent", "tls: {cert: /c}\nfolder: /x", "agent.yaml:4:6: tls: cert and key belong together"},
		{"folder: /var/lib/sluice-agent", "tls: {clientCA: /c}\nfolder: /x", "agent.yaml:4:17: tls.clientCA: asks clients for certificates"},
		{"/var/lib/sluice-agent", "var", `agent.yaml:4:9: folder: "var" is not an absolute path`},
		{"folder: /var/lib/sluice-agent\n", "", "agent.yaml:1:1: folder: is missing, expected an absolute path"},
		{"  features:", "  Features:", `agent.yaml:7:5: units.Features: "Features" is not a unit`},
		{"to: /etc/app/features", "to: ../features", "agent.yaml:7:9: units.features.to: \"../features\" is not an absolute path"},
		{"to: /etc/app/features", "to: /var/lib/sluice-agent/x", "agent.yaml:7:9: units.features.to: \"/var/lib/sluice-agent/x\" is in the way of folder"},
		{"to: /etc/app/features", "to: /etc/app/flags", "units.flags.to: \"/etc/app/flags\" is in the way"},
		{"{to: /etc/app/flags}", "{to: /etc/app/features/flags}", "agent.yaml:15:15: units.flags.to: \"/etc/app/features/flags\" is in the way of the unit features"},
		{"[nginx, -t, -c", "[\"{{dir}}/x\", -t, -c", "agent.yaml:8:13: units.features.check[0]: \"{{dir}}/x\" is not a fixed program"},
		{"{{dir}}/nginx.conf", "{{address}}", "agent.yaml:8:28: units.features.check[3]: {{address}} is not known here"},
		{"[systemctl, reload, app]", "[]", "agent.yaml:9:13: units.features.reload: is empty"},
		{"[systemctl, reload, app]", "systemctl reload app", "agent.yaml:9:13: units.features.reload: is \"systemctl reload app\", expected a list"},
		{`contains: "{{release}}"`, "contains: ok", "agent.yaml:10:14: units.features.confirm: shows no release"},
		{`http: "http://127.0.0.1:8080/version"`, `command: [x], http: "http://127.0.0.1/"`, "agent.yaml:10:14: units.features.confirm: expected one of http and command"},
		{"http://127.0.0.1:8080/version", "ftp://127.0.0.1", "units.features.confirm.http: \"ftp://127.0.0.1\" is not a URL"},
		{"within: 20s", "within: 20", "units.features.confirm.within: is \"20\", expected a duration with its unit"},
		{"onDrift: heal", "onDrift: ignore", "agent.yaml:14:14: units.features.onDrift: is \"ignore\", expected tell or heal"},
	} {
		require.Contains(t, exampleConfig, c.old)
		_, err := Parse("agent.yaml", []byte(strings.Replace(exampleConfig, c.old, c.new, 1)))
		require.ErrorContains(t, err, c.want, c.new)
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := Parse("agent.yaml", []byte("folder: /x\nunits: {}\n"))
	require.ErrorContains(t, err, "agent.yaml:2:8: units: there are none")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(exampleConfig))
	f.Add([]byte("units: {a: {confirm: {}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("agent.yaml", data)
		if err != nil {
			return
		}
		require.NotEmpty(t, c.Units)
		for name, u := range c.Units {
			require.True(t, order.IsName(name))
			require.True(t, strings.HasPrefix(u.To, "/"))
			require.Positive(t, u.Keep)
		}
	})
}
