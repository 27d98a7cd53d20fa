package spec_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

// accessible are the places of a spec that say what a server wants of who asks it.
var accessible = map[string]string{
	"health":                   "health:\n  prometheus: http://p:9090\n  %s\n  checks: [{name: v, value: 'max(x{$exposed})', max: 1}]\n",
	"fleet":                    "fleet:\n  prometheus: http://p:9090\n  query: up\n  %s\n",
	"notify":                   "notify:\n  webhook: http://p:9090\n  %s\n",
	"health.checks[0].webhook": "health:\n  checks:\n  - name: v\n    webhook:\n      url: http://p:9090\n      %s\n",
	"health.checks[0].alerts":  "health:\n  checks:\n  - name: v\n    alerts:\n      alertmanager: http://p:9090\n      match: [a=b]\n      %s\n",
	"health.checks[0].probe":   "health:\n  checks:\n  - name: v\n    probe:\n      http: 'http://{{address}}/'\n      %s\n",
}

// with is a spec with some lines at one of the places.
func with(place, lines string) []byte {
	text := "unit: edge\nrelease: '2'\ndriver: {http: {}}\nstages: [{name: all, reach: 100%, bake: 1m}]\n"
	text += strings.ReplaceAll(accessible[place], "%s", lines)
	if !strings.HasPrefix(place, "health") {
		text += "health: {scrape: {}, checks: [{name: v, value: x, max: 1}]"
	}
	if place != "fleet" {
		text += "fleet: fleet.yaml\n"
	}
	text = strings.Replace(text, "health:\n", "health:\n  without: [traffic]\n", 1)
	text = strings.Replace(text, "health: {", "health: {without: [traffic], ", 1)
	return []byte(strings.ReplaceAll(text, "max: 1}]fleet", "max: 1}]}\nfleet") + map[bool]string{true: "}\n"}[place == "fleet"])
}

// What a server wants is said by the same fields everywhere, and never with a secret itself.
func TestAccess(t *testing.T) {
	for place := range accessible {
		for _, lines := range []string{
			"token: '${env:T}'", "basicAuth: {username: ann, password: 'file:/run/p'}", "header: {X-Scope-OrgID: edge, X-Api-Key: '${env:K}'}",
			"header: {Host: www.example.com}", "tls: {ca: 'file:/ca', cert: 'file:/c', key: '${env:K}', serverName: p.example.com}",
		} {
			doc, err := spec.Parse("f.yaml", with(place, lines), kinds)
			require.NoError(t, err, "%s %s\n%s", place, lines, with(place, lines))
			data, err := doc.Spec.Health.MarshalJSON()
			require.NoError(t, err)
			var back spec.Health
			require.NoError(t, back.UnmarshalJSON(data))
			require.Equal(t, doc.Spec.Health, back)
		}
		for lines, want := range map[string]string{
			"token: hunter2": ".token: is not a reference to a secret",
			"basicAuth: {username: ann, password: hunter2}":                ".basicAuth.password: is not a reference to a secret",
			"basicAuth: {username: ann}":                                   ".basicAuth.password: is required",
			"basicAuth: {password: '${env:P}'}":                            ".basicAuth.username: is required",
			"header: {Authorization: Bearer hunter2}":                      ".header.Authorization: holds what looks like a secret (authorization)",
			"header: {X-Api-Key: hunter2}":                                 ".header.X-Api-Key: holds what looks like a secret (api key)",
			"header: {Cookie: session=hunter2}":                            ".header.Cookie: holds what looks like a secret (cookie)",
			"header: {Token: hunter2}":                                     ".header.Token: holds what looks like a secret (token)",
			"header: {Content-Length: '1'}":                                ".header.Content-Length: is set by the worker itself",
			"header: {'a b': x}":                                           " is not the name of a header",
			"header: {X-A: ''}":                                            ".header.X-A: has no value",
			"tls: {cert: 'file:/c'}":                                       ".tls.cert: needs key beside it",
			"tls: {ca: '-----BEGIN CERTIFICATE-----hunter2'}":              ".tls.ca: is not a reference",
			"tls: {caFile: /x}":                                            `unknown field "caFile"`,
			"token: '${env:T}'\n      header: {Authorization: '${env:A}'}": "cannot be combined with token",
		} {
			if strings.Contains(lines, "\n") {
				before, _, _ := strings.Cut(accessible[place], "%s")
				indent := strings.Repeat(" ", len(before)-1-strings.LastIndex(before, "\n"))
				lines = strings.ReplaceAll(lines, "\n      ", "\n"+indent)
			}
			_, err := spec.Parse("f.yaml", with(place, lines), kinds)
			require.ErrorContains(t, err, want, "%s %s", place, lines)
			require.NotContains(t, err.Error(), "hunter2")
		}
	}
	_, err := spec.Parse("f.yaml", with("health.checks[0].probe", "host: 'www example'"), kinds)
	require.ErrorContains(t, err, "probe.host: is not a name")
	_, err = spec.Parse("f.yaml", with("health.checks[0].probe", "host: a\n      header: {host: b}"), kinds)
	require.ErrorContains(t, err, "has Host, and so has the probe")
	_, err = spec.Parse("f.yaml", with("health.checks[0].probe", "host: www.example.com"), kinds)
	require.NoError(t, err)
	sourceless := string(with("health.checks[0].probe", "host: a"))
	sourceless = strings.Replace(sourceless, "health:\n", "health:\n  token: '${env:T}'\n", 1)
	_, err = spec.Parse("f.yaml", []byte(sourceless), kinds)
	require.ErrorContains(t, err, "health.token: has no effect in a spec without a source")
}
