package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Choice is the settings of one kind under the kind's name: {"http": {"timeout": "5s"}}.
// They stay JSON until Open decodes them, so that a spec can be carried by who does not
// know the kind.
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
	for f := range reflect.TypeOf(fixed).Elem().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		delete(fields, name)
	}
	return c.set(fields)
}
