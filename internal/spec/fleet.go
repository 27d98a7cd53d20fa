package spec

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/dial"
	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// FleetSource is where the fleet is listed. Exactly one of File, Command and Prometheus is set. A
// path alone, "fleet: fleet.yaml", is its short form, in YAML and in JSON.
type FleetSource struct {
	// File is the path of the fleet file, relative to the spec's folder. Only the CLI reads it; a
	// worker gets the fleet's snapshot instead.
	File string `yaml:"file,omitempty" json:"file,omitempty"`
	// Command is a program and its arguments, which the worker runs, never through a shell. It
	// prints a fleet file.
	Command []string `yaml:"command,omitempty" json:"command,omitempty" jsonschema:"minItems=1"`
	// Prometheus is the base URL of a Prometheus-compatible API, as the worker reaches it. Each
	// series that Query answers is one target.
	Prometheus string `yaml:"prometheus,omitempty" json:"prometheus,omitempty"`
	// Access is what the Prometheus wants of who asks it.
	dial.Access `yaml:",inline"`
	// Query is PromQL without placeholders that gives an instant vector.
	Query string `yaml:"query,omitempty" json:"query,omitempty"`
	// ID and Address are templates over the {{label.NAME}} of a series. Default
	// "{{label.instance}}".
	ID      string `yaml:"id,omitempty" json:"id,omitempty"`
	Address string `yaml:"address,omitempty" json:"address,omitempty"`
	// Labels names the labels of a series that the target gets. Every series must have them.
	Labels []string `yaml:"labels,omitempty" json:"labels,omitempty" jsonschema:"maxItems=50"`
	// Timeout bounds one listing by Command or Prometheus. Default 30s.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// MaxFleetTimeout bounds FleetSource.Timeout: one listing is one attempt of an activity.
const MaxFleetTimeout = Duration(2 * time.Minute)

// Listed says that the worker lists the fleet, when the rollout starts.
func (f FleetSource) Listed() bool { return len(f.Command) > 0 || f.Prometheus != "" }

var errNoFleetPath = errors.New("is empty, expected the path of a fleet file, relative to the spec's folder")

// UnmarshalText reads the short form, a path.
func (f *FleetSource) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errNoFleetPath
	}
	*f = FleetSource{File: string(text)}
	return nil
}

// MarshalJSON writes the short form where a path is all there is.
func (f FleetSource) MarshalJSON() ([]byte, error) {
	if !f.Listed() {
		return json.Marshal(f.File)
	}
	type mapping FleetSource
	return json.Marshal(mapping(f))
}

// UnmarshalJSON reads both forms.
func (f *FleetSource) UnmarshalJSON(data []byte) error {
	var path string
	if json.Unmarshal(data, &path) == nil {
		*f = FleetSource{File: path}
		return nil
	}
	type mapping FleetSource
	return json.Unmarshal(data, (*mapping)(f))
}

// maxFleetLabels bounds what a target's labels take.
const maxFleetLabels = 50

// fleet checks that there is exactly one place where targets are listed, and that nothing is said
// that means nothing there.
func (v *validator) fleet(f FleetSource) {
	if v.IsBad("fleet") || f.File != "" && !v.Has("fleet.file") { // the short form
		return
	}
	form := v.In("fleet").one([]string{"file", "command", "prometheus"},
		"has no source, expected exactly one of file, command and prometheus, such as fleet: fleet.yaml", "source")
	if form == "" {
		return
	}
	ofQuery := []string{"query", "id", "address", "labels", "token", "basicAuth", "header", "tls"}
	v.AtMost("fleet.timeout", f.Timeout, MaxFleetTimeout)
	switch form {
	case "file":
		v.In("fleet").Foreign("a fleet from a file", append(ofQuery, "timeout")...)
		if v.Has("fleet.file") && f.File == "" {
			v.Bad("fleet.file", "%s", errNoFleetPath)
		}
	case "command":
		v.In("fleet").Foreign("a fleet from a command", ofQuery...)
		v.fleetCommand(f.Command)
	case "prometheus":
		v.fleetPrometheus(f)
	}
}

// fleetCommand checks an argv in which nothing is filled: there is no target yet.
func (v *validator) fleetCommand(argv []string) {
	const path = "fleet.command"
	if v.IsBad(path) {
		return
	}
	for i, arg := range argv {
		if strings.Contains(arg, "{{") {
			v.Bad(strictyaml.Index(path, i), "has a placeholder, expected none: there is no target yet")
			return
		}
	}
	v.Argv(path, argv)
}

func (v *validator) fleetPrometheus(f FleetSource) {
	v.In("fleet").Access(f.Access)
	if v.Has("fleet.prometheus") {
		v.BaseURL("fleet.prometheus", f.Prometheus, PrometheusURL)
	}
	if path := "fleet.query"; v.Needs(path) && v.Has(path) {
		if strings.TrimSpace(f.Query) == "" {
			v.Bad(path, "is empty, expected a query such as up{job=\"edge\"}")
		} else {
			v.inside(path, promql.CheckSeries(f.Query))
		}
	}
	for field, text := range map[string]string{"id": f.ID, "address": f.Address} {
		path := "fleet." + field
		if v.Has(path) && v.Template(path, text, tmpl.Label) && !strings.Contains(text, "{{") {
			v.Bad(path, "%s is the same for every target, expected a template over {{label.NAME}}", strictyaml.Quote(text))
		}
	}
	if v.Has("fleet.address") && !v.IsBad("fleet.address") {
		v.addressHasPort("fleet.address", f.Address)
	}
	if len(f.Labels) > maxFleetLabels {
		v.Bad("fleet.labels", "has %d labels, expected at most %d", len(f.Labels), maxFleetLabels)
		return
	}
	for i, name := range f.Labels {
		if v.metricLabel(strictyaml.Index("fleet.labels", i), name) {
			v.once("fleet.labels", f.Labels, i)
		}
	}
}
