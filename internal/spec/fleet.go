package spec

import (
	"encoding/json"
	"errors"
	"time"
)

// FleetSource is where the fleet is listed. Exactly one of File, Command and
// Prometheus is set. A path alone, "fleet: fleet.yaml", is its short form, in YAML
// and in JSON.
type FleetSource struct {
	// File is the path of the fleet file, relative to the spec's folder. Only the CLI
	// reads it; a worker gets the fleet's snapshot instead.
	File string `yaml:"file,omitempty" json:"file,omitempty"`
	// Command is a program and its arguments, which the worker runs, never through a
	// shell. It prints a fleet file.
	Command []string `yaml:"command,omitempty" json:"command,omitempty" jsonschema:"minItems=1"`
	// Prometheus is the base URL of a Prometheus-compatible API, as the worker
	// reaches it. Each series that Query answers is one target.
	Prometheus string `yaml:"prometheus,omitempty" json:"prometheus,omitempty"`
	// Query is PromQL without placeholders that gives an instant vector.
	Query string `yaml:"query,omitempty" json:"query,omitempty"`
	// ID and Address are templates over the {{label.NAME}} of a series. Default
	// "{{label.instance}}".
	ID      string `yaml:"id,omitempty" json:"id,omitempty"`
	Address string `yaml:"address,omitempty" json:"address,omitempty"`
	// Labels names the labels of a series that the target gets. Every series must
	// have them.
	Labels []string `yaml:"labels,omitempty" json:"labels,omitempty" jsonschema:"maxItems=50"`
	// Timeout bounds one listing by Command or Prometheus. Default 30s.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// MaxFleetTimeout bounds FleetSource.Timeout: one listing is one attempt of an
// activity.
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
