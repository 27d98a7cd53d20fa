package spec

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Kinds are what the open places of a spec can hold in this build. Package catalog has
// the list.
type Kinds struct {
	Drivers []Kind[DriverSettings]
	Sources []Kind[SourceSettings]
	Forms   []Kind[FormSettings]
}

// DriverNames are the keys of all drivers.
func (k Kinds) DriverNames() []string { return names(k.Drivers) }

// Kind is one way to fill an open place of a spec. Its name is the key that the settings
// stand under: "http" in driver: {http: {timeout: 5s}}.
type Kind[S any] struct {
	Name string
	// New makes settings without any value, a pointer that YAML is decoded into.
	New func() S
}

// DriverSettings are the settings of a driver, by the yaml and json tags of a struct.
type DriverSettings interface {
	// Check reports what is wrong with the settings as the file has them, before
	// SetDefaults.
	Check(s Section)
	// SetDefaults sets what valid settings leave out.
	SetDefaults()
}

// As gives kinds whose settings can do less, as a spec needs them: that of a driver
// without making the driver.
func As[Less, S any](kinds []Kind[S], as func(S) Less) []Kind[Less] {
	out := make([]Kind[Less], len(kinds))
	for i, k := range kinds {
		out[i] = Kind[Less]{k.Name, func() Less { return as(k.New()) }}
	}
	return out
}

// names are the names of kinds.
func names[S any](kinds []Kind[S]) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = k.Name
	}
	return out
}

// keys are kinds as the keys of a file.
func keys[S any](kinds []Kind[S]) []strictyaml.Key {
	out := make([]strictyaml.Key, len(kinds))
	for i, k := range kinds {
		out[i] = strictyaml.Key{Name: k.Name, New: func() any { return k.New() }}
	}
	return out
}

// open are the open keys of a spec, as the tags of its fields have them.
func (k Kinds) open() strictyaml.Open {
	return strictyaml.Open{"drivers": keys(k.Drivers), "sources": keys(k.Sources), "forms": keys(k.Forms)}
}

// find is the kind that a choice names.
func find[S any](kinds []Kind[S], c Choice) (Kind[S], error) {
	for _, k := range kinds {
		if k.Name == c.Name {
			return k, nil
		}
	}
	if c.Name == "" {
		return Kind[S]{}, fmt.Errorf("none is set, expected one of %s", list(names(kinds)))
	}
	return Kind[S]{}, fmt.Errorf("%s is not known here, expected one of %s", strictyaml.Quote(c.Name), list(names(kinds)))
}

// decode decodes the settings of a choice that was validated.
func decode[S any](kinds []Kind[S], c Choice) (settings S, err error) {
	k, err := find(kinds, c)
	if err != nil {
		return settings, err
	}
	settings = k.New()
	return settings, json.Unmarshal(c.Settings, settings)
}

// Open decodes the settings of a choice, checks them and sets their defaults, as Parse
// does. Path names the place in its errors, such as "driver".
func Open[S DriverSettings](path string, kinds []Kind[S], c Choice) (settings S, err error) {
	if _, err := find(kinds, c); err != nil {
		return settings, fmt.Errorf("%s: %w", path, err)
	}
	data, err := c.MarshalJSON()
	if err != nil {
		return settings, fmt.Errorf("%s: %w", path, err)
	}
	var out struct {
		Choice `yaml:",open=kinds"`
	}
	doc := strictyaml.Decode(path, data, MaxBytes, strictyaml.Open{"kinds": keys(kinds)}, &out)
	settings, ok := doc.Opened(c.Name).(S)
	if ok {
		settings.Check(Section{doc, c.Name})
	}
	if problems, wrong := errors.AsType[strictyaml.Problems](doc.Problems().Err()); wrong {
		return settings, fmt.Errorf("%s: %s", path, problems[0].Message)
	}
	settings.SetDefaults()
	return settings, nil
}
