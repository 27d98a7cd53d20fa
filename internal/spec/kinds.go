package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Kinds are what the open places of a spec can hold in this build. Package catalog has the list.
type Kinds struct {
	Drivers []Kind[Settings]
	Sources []Kind[SourceSettings]
	Forms   []Kind[FormSettings]
}

// Kind is one way to fill an open place of a spec. Its name is the key that the settings stand
// under: "http" in driver: {http: {timeout: 5s}}.
type Kind[S any] struct {
	Name string
	// New makes settings without any value, a pointer that YAML is decoded into.
	New func() S
}

// Settings are what stands under the key of a kind, by the yaml and json tags of a struct.
type Settings interface {
	// Check reports what is wrong with the settings as the file has them, before SetDefaults.
	Check(s Section)
	// SetDefaults sets what valid settings leave out.
	SetDefaults()
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

// Open decodes the settings of a choice, checks them and sets their defaults, as Parse does. Path
// names the place in its errors, such as "driver".
func Open[S Settings](path string, kinds []Kind[S], c Choice) (settings S, err error) {
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

// Choice is the settings of one kind under the kind's name: {"http": {"timeout": "5s"}}. They stay
// JSON until Open decodes them, so that a spec can be carried by who does not know the kind.
type Choice struct {
	Name     string
	Settings json.RawMessage
}

// Choose is the choice of a kind with settings, which JSON must be able to hold.
func Choose(name string, settings any) Choice {
	data, err := json.Marshal(settings)
	if err != nil {
		panic(fmt.Sprintf("settings of %s: %s", name, err)) // their type is at fault
	}
	return Choice{name, data}
}

// Decode reads the settings, which were validated, into a pointer.
func (c Choice) Decode(settings any) error { return json.Unmarshal(c.Settings, settings) }

// MarshalJSON writes an object of one field; of none, where nothing is chosen.
func (c Choice) MarshalJSON() ([]byte, error) {
	if c.Name == "" {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]json.RawMessage{c.Name: c.Settings})
}

// UnmarshalJSON reads an object of at most one field.
func (c *Choice) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	return c.set(fields)
}

// set chooses the one field that is there.
func (c *Choice) set(fields map[string]json.RawMessage) error {
	*c = Choice{}
	if len(fields) > 1 {
		return fmt.Errorf("%s are set, expected one", strings.Join(slices.Sorted(maps.Keys(fields)), " and "))
	}
	for name, raw := range fields {
		var settings bytes.Buffer
		if err := json.Compact(&settings, raw); err != nil {
			return err
		}
		*c = Choice{name, settings.Bytes()}
	}
	return nil
}

// marshalBeside writes an object with the field of a choice at its end.
func marshalBeside(fixed any, c Choice) ([]byte, error) {
	data, err := json.Marshal(fixed)
	if err != nil || c.Name == "" {
		return data, err
	}
	more, err := c.MarshalJSON()
	if err != nil || string(data) == "{}" {
		return more, err
	}
	return append(append(data[:len(data)-1], ','), more[1:]...), nil
}

// unmarshalBeside reads what marshalBeside wrote: a field that fixed has not is a choice.
func unmarshalBeside(data []byte, fixed any, c *Choice) error {
	if err := json.Unmarshal(data, fixed); err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	for _, f := range reflect.VisibleFields(reflect.TypeOf(fixed).Elem()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		delete(fields, name)
	}
	return c.set(fields)
}
