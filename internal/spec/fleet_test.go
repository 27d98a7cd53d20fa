package spec_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/spec"
)

func parseFleet(fleet string) (*spec.Document, error) {
	return parse("f.yaml", []byte(fleet+`
unit: a
release: "2"
driver: {http: {}}
stages: [{name: a, reach: 100%, bake: 1m}]
health: {scrape: {}, checks: [{name: e, bad: b, total: t, max: 1%}]}
`))
}

func TestFleetSource(t *testing.T) {
	thirty := spec.Duration(30 * time.Second)
	for text, want := range map[string]spec.FleetSource{
		"fleet: fleet.yaml":         {File: "fleet.yaml"},
		"fleet: 1.10":               {File: "1.10"},
		"fleet: {file: fleet.yaml}": {File: "fleet.yaml"},
		`fleet: {command: [./list.sh, --json], timeout: 1m}`: {
			Command: []string{"./list.sh", "--json"}, Timeout: spec.Duration(time.Minute),
		},
		`fleet: {command: [list]}`: {Command: []string{"list"}, Timeout: thirty},
		`fleet: {prometheus: "http://prom:9090", query: 'up{job="edge"}'}`: {
			Prometheus: "http://prom:9090", Query: `up{job="edge"}`, ID: "{{label.instance}}", Address: "{{label.instance}}", Timeout: thirty,
		},
		`fleet: {prometheus: "https://prom/base", query: up, id: "{{label.host}}", address: "{{label.host}}:80/{{label.site}}", labels: [region, tier], timeout: 5s}`: {
			Prometheus: "https://prom/base", Query: "up", ID: "{{label.host}}", Address: "{{label.host}}:80/{{label.site}}",
			Labels: []string{"region", "tier"}, Timeout: spec.Duration(5 * time.Second),
		},
	} {
		doc, err := parseFleet(text)
		require.NoError(t, err, text)
		require.Equal(t, want, doc.Spec.Fleet, text)
		require.Equal(t, want.File == "", want.Listed())

		data, err := json.Marshal(doc.Spec)
		require.NoError(t, err)
		var again spec.Spec
		require.NoError(t, json.Unmarshal(data, &again))
		require.Equal(t, want, again.Fleet, "%s", data)
		second, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(data), string(second), "a submission is told from another by its JSON")
	}
}

// Recorded histories hold the path alone.
func TestFleetSourceInJSON(t *testing.T) {
	data, err := json.Marshal(spec.Spec{Fleet: spec.FleetSource{File: "fleet.yaml"}})
	require.NoError(t, err)
	require.Contains(t, string(data), `"fleet":"fleet.yaml"`)
	for text, want := range map[string]spec.FleetSource{
		`{"fleet":"fleet.yaml"}`: {File: "fleet.yaml"},
		`{"fleet":""}`:           {},
		`{}`:                     {},
		`{"fleet":{"command":["ls"],"timeout":"30s"}}`: {Command: []string{"ls"}, Timeout: spec.Duration(30 * time.Second)},
	} {
		var s spec.Spec
		require.NoError(t, json.Unmarshal([]byte(text), &s), text)
		require.Equal(t, want, s.Fleet, text)
	}
	require.Error(t, json.Unmarshal([]byte(`{"fleet":7}`), new(spec.Spec)))
}

func TestFleetSourceInvalid(t *testing.T) {
	const prom = `prometheus: "http://p:9090"`
	for text, want := range map[string]string{
		`fleet: ""`:                                                         `f.yaml:1:8: fleet: is empty, expected the path of a fleet file, relative to the spec's folder`,
		`fleet: {file: ""}`:                                                 `f.yaml:1:15: fleet.file: is empty, expected the path of a fleet file, relative to the spec's folder`,
		`fleet: [a.yaml]`:                                                   `f.yaml:1:8: fleet: is a list, expected a fleet source`,
		`fleet: {}`:                                                         `f.yaml:1:8: fleet: has no source, expected exactly one of file, command and prometheus, such as fleet: fleet.yaml`,
		`fleet: {timeout: 3s}`:                                              `f.yaml:1:8: fleet: has no source, expected exactly one of file, command and prometheus, such as fleet: fleet.yaml`,
		`fleet: {file: a, command: [b]}`:                                    `f.yaml:1:8: fleet: has file and command, expected exactly one source`,
		`fleet: {comand: [b]}`:                                              `f.yaml:1:9: unknown field "comand" in fleet, did you mean "command"?`,
		`fleet: {file: a, timeout: 3s}`:                                     `f.yaml:1:27: fleet.timeout: has no effect in a fleet from a file: remove it`,
		`fleet: {command: ./list.sh}`:                                       `f.yaml:1:18: fleet.command: is "./list.sh", expected a list`,
		`fleet: {command: []}`:                                              `f.yaml:1:18: fleet.command: is an empty list, expected a program and its arguments, such as [./switch.sh, "{{id}}"]`,
		`fleet: {command: ["{{id}}"]}`:                                      `f.yaml:1:19: fleet.command[0]: has a placeholder, expected none: there is no target yet`,
		`fleet: {command: [a, "x{{id}}"]}`:                                  `f.yaml:1:22: fleet.command[1]: has a placeholder, expected none: there is no target yet`,
		`fleet: {command: [a], query: up}`:                                  `f.yaml:1:30: fleet.query: has no effect in a fleet from a command: remove it`,
		`fleet: {command: [a], timeout: 0s}`:                                `f.yaml:1:32: fleet.timeout: is 0s, expected more`,
		`fleet: {command: [a], timeout: 3m}`:                                `f.yaml:1:32: fleet.timeout: is 3m, expected at most 2m`,
		`fleet: {` + prom + `}`:                                             `f.yaml:1:8: fleet.query: is required`,
		`fleet: {prometheus: "p:9090", query: a}`:                           `f.yaml:1:21: fleet.prometheus: is not a URL, expected one that begins with http:// or https://`,
		`fleet: {prometheus: "http://me:hunter2@p", query: a}`:              `f.yaml:1:21: fleet.prometheus: has a user or a password in it, which would be in the rollout's history: expected a proxy in front that adds it`,
		`fleet: {prometheus: "http://p?a=b", query: a}`:                     `f.yaml:1:21: fleet.prometheus: has a query (?), expected the base URL of a Prometheus API, such as http://prometheus:9090`,
		`fleet: {` + prom + `, query: " "}`:                                 `f.yaml:1:45: fleet.query: is empty, expected a query such as up{job="edge"}`,
		`fleet: {` + prom + `, query: 'up{job=}'}`:                          `f.yaml:1:53: fleet.query: invalid PromQL: unexpected "}" in label matching, expected string`,
		`fleet: {` + prom + `, query: 'up{$exposed}'}`:                      `f.yaml:1:49: fleet.query: $exposed is a placeholder, expected none, since there are no targets yet`,
		`fleet: {` + prom + `, query: 'up[5m]'}`:                            `f.yaml:1:46: fleet.query: the expression gives a range vector, expected an instant vector with a series for each target, such as up{job="edge"}`,
		`fleet: {` + prom + `, query: '1'}`:                                 `f.yaml:1:46: fleet.query: the expression gives a scalar, expected an instant vector with a series for each target, such as up{job="edge"}`,
		`fleet: {` + prom + `, query: up, id: x}`:                           `f.yaml:1:53: fleet.id: "x" is the same for every target, expected a template over {{label.NAME}}`,
		`fleet: {` + prom + `, query: up, address: "{{id}}"}`:               `f.yaml:1:58: fleet.address: {{id}} is not known here, expected one of {{label.NAME}}`,
		`fleet: {` + prom + `, query: up, address: "{{label.host}}.lan"}`:   `f.yaml:1:58: fleet.address: "{{label.host}}.lan" gives addresses without a port, which driver.http.url (http://{{address}}/sluice/v1/units/{{unit}}) needs: expected host:port, such as "{{label.host}}.lan:8080"`,
		`fleet: {` + prom + `, query: up, address: "{{label.host}}.lan/x"}`: `f.yaml:1:58: fleet.address: "{{label.host}}.lan/x" gives addresses without a port, which driver.http.url (http://{{address}}/sluice/v1/units/{{unit}}) needs: expected host:port, such as "{{label.host}}.lan:8080"`,
		`fleet: {` + prom + `, query: up, labels: [a.b]}`:                   `f.yaml:1:58: fleet.labels[0]: "a.b" is not a label, expected letters, digits and '_', not beginning with a digit`,
		`fleet: {` + prom + `, query: up, labels: [a, a]}`:                  `f.yaml:1:61: fleet.labels[1]: "a" is listed twice, first at 1:58`,
		`fleet: {` + prom + `, query: up, labels: [` + strings.Repeat("a, ", 50) + `a]}`: `f.yaml:1:57: fleet.labels: has 51 labels, expected at most 50`,
	} {
		_, err := parseFleet(text)
		require.EqualError(t, err, want, text)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
