package spec_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

func TestAddressUses(t *testing.T) {
	for name, tc := range map[string]struct {
		driver, health string
		address        string
		want           []string // one for each use, empty for none
	}{
		"driver by default":    {`http: {}`, `prometheus: "http://p"`, "web-1", []string{`"web-1" has no port, which driver.http.url (http://{{address}}/sluice/v1/units/{{unit}}) needs`}},
		"with a port":          {`http: {}`, `prometheus: "http://p"`, "web-1:8080", []string{""}},
		"with a port and path": {`http: {}`, `prometheus: "http://p"`, "gateway:8080/web-1", []string{""}},
		"a path, no port":      {`http: {}`, `prometheus: "http://p"`, "gateway/web-1", []string{`"gateway/web-1" has no port`}},
		"IPv6":                 {`http: {}`, `prometheus: "http://p"`, "[2001:db8::1]:80", []string{""}},
		"IPv6, no port":        {`http: {}`, `prometheus: "http://p"`, "[2001:db8::1]", []string{`"[2001:db8::1]" has no port`}},
		"IPv6, bare":           {`http: {}`, `prometheus: "http://p"`, "2001:db8::1", []string{`"2001:db8::1" is an IPv6 address without brackets`}},
		"no such port":         {`http: {}`, `prometheus: "http://p"`, "web-1:80800", []string{`has the port 80800, expected 1 to 65535`}},
		"port of letters":      {`http: {}`, `prometheus: "http://p"`, "web-1:http", []string{`has the port http, expected 1 to 65535`}},
		"TLS":                  {`http: {url: "https://{{address}}/{{unit}}"}`, `prometheus: "http://p"`, "web-1", []string{`"web-1" has no port`}},
		"port in the template": {`http: {url: "https://{{address}}:443/{{unit}}"}`, `prometheus: "http://p"`, "web-1", []string{""}},
		"two ports":            {`http: {url: "https://{{address}}:443/{{unit}}"}`, `prometheus: "http://p"`, "web-1:80", []string{`"web-1:80" has a port, and so has driver.http.url (https://{{address}}:443/{{unit}})`}},
		"not the host":         {`http: {url: "http://gateway/{{address}}/{{unit}}"}`, `prometheus: "http://p"`, "web-1", []string{""}},
		"by a label":           {`http: {url: "http://{{label.ip}}/{{unit}}"}`, `prometheus: "http://p"`, "web-1", []string{""}},
		"a program":            {`exec: {observe: [a], apply: [b]}`, `prometheus: "http://p"`, "web-1", nil},
		"scraped":              {`exec: {observe: [a], apply: [b]}`, `scrape: {}`, "web-1", []string{`which health.scrape.url (http://{{address}}/metrics) needs`}},
	} {
		doc, err := parse("f.yaml", fmt.Appendf(nil, `
unit: a
release: "2"
fleet: fleet.yaml
driver: {%s}
stages: [{name: a, reach: 100%%, bake: 1m}]
health: {%s, without: [traffic], checks: [{name: up, probe: {tcp: "{{label.ip}}:1"}}]}
`, tc.driver, tc.health))
		require.NoError(t, err, name)
		var got []string
		for _, u := range doc.Spec.AddressUses(kinds) {
			message := u.Check("t", tc.address, map[string]string{"ip": "10.0.0.1"})
			if u.Path == "health.checks[0].probe.tcp" {
				require.Empty(t, message, name)
				continue
			}
			got = append(got, message)
		}
		require.Len(t, got, len(tc.want), name)
		for i, want := range tc.want {
			if want == "" {
				require.Empty(t, got[i], name)
			}
			require.Contains(t, got[i], want, name)
		}
	}
}

func TestAddressUseOfProbes(t *testing.T) {
	use := func(probe string) spec.AddressUse {
		doc, err := parse("f.yaml", fmt.Appendf(nil, `
unit: a
release: "2"
fleet: fleet.yaml
driver: {exec: {observe: [a], apply: [b]}}
stages: [{name: a, reach: 100%%, bake: 1m}]
health: {without: [traffic], checks: [{name: up, probe: {%s}}]}
`, probe))
		require.NoError(t, err)
		require.Len(t, doc.Spec.AddressUses(kinds), 1)
		return doc.Spec.AddressUses(kinds)[0]
	}
	tcp := use(`tcp: "{{address}}"`)
	require.Empty(t, tcp.Check("t", "web-1:80/path", nil))
	require.Contains(t, tcp.Check("t", "web-1", nil), `"web-1" has no port, which health.checks[0].probe.tcp ({{address}}) needs: `+
		`expected host:port, such as web-1:8080`)
	require.Contains(t, tcp.Check("t", "web-1:", nil), "has no port")
	http := use(`http: "http://{{address}}/healthz"`)
	require.Contains(t, http.Check("t", "web-1", nil), "which health.checks[0].probe.http (http://{{address}}/healthz) needs")
	other := use(`tcp: "{{label.ip}}:9000"`)
	require.Contains(t, other.Check("t", "web-1", nil), `target "t" has no label "ip", which {{label.ip}} asks for`)
}
