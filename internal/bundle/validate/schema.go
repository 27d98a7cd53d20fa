package validate

import (
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/sluicehq/sluice/internal/bundle/data"
	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/terminal"
)

// maxViolations bounds how much is said of one file, and maxMessage how long each is, in bytes.
const maxViolations, maxMessage = 20, 300

// schema checks the files that a pattern matches.
func (c *checker) schema(setting, pattern, name string, schemas map[string][]byte) {
	s, err := compile(name, schemas[name])
	if err != nil {
		c.setting(setting, "%s", err)
		return
	}
	found := false
	for _, f := range c.Bundle.Files {
		if !matches(pattern, f.Path) {
			continue
		}
		found = true
		if !data.IsData(f.Path) {
			c.setting(setting, "%s is neither .json nor .yaml, and no schema can tell about it", f.Path)
			continue
		}
		if v := c.value(setting, f.Path); v != nil {
			c.violations(setting, f.Path, name, v, s.Validate(v.Plain()))
		}
	}
	if !found {
		c.setting(setting, "no file of the bundle matches %s", strictyaml.Quote(pattern))
	}
}

// compile reads a schema, which may refer to nothing outside of itself.
func compile(name string, content []byte) (*jsonschema.Schema, error) {
	v, err := data.Read(name, content)
	if err != nil {
		return nil, fmt.Errorf("the schema cannot be read: %w", err)
	}
	const url = "schema:///"
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(nothing{})
	compiler.AssertFormat()
	if err := compiler.AddResource(url, v.Plain()); err != nil {
		return nil, fmt.Errorf("%s is not a schema: %w", name, err)
	}
	s, err := compiler.Compile(url)
	if err != nil {
		return nil, fmt.Errorf("%s is not a schema that can be used: %s", name, terminal.OneLine(err.Error(), maxMessage))
	}
	return s, nil
}

// nothing loads no other schemas.
type nothing struct{}

var errElsewhere = errors.New("a schema may refer to places in itself only, such as #/$defs/feature")

// Load refuses.
func (nothing) Load(string) (any, error) { return nil, errElsewhere }

// violations reports what a schema has found, each at the value that it is about.
func (c *checker) violations(setting, file, name string, v *data.Value, err error) {
	e, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		if err != nil {
			c.setting(setting, "%s: %s", file, err)
		}
		return
	}
	printer := message.NewPrinter(language.English)
	n := 0
	var tell func(e *jsonschema.ValidationError)
	tell = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 {
			if n++; n <= maxViolations {
				at := "the file"
				if len(e.InstanceLocation) > 0 {
					at = "#" + data.Pointer(e.InstanceLocation)
				}
				what := terminal.OneLine(e.ErrorKind.LocalizedString(printer), maxMessage)
				c.file(setting, file, v.Step(e.InstanceLocation), "%s: %s, by %s", at, what, name)
			}
			return
		}
		for _, cause := range e.Causes {
			tell(cause)
		}
	}
	tell(e)
	if n > maxViolations {
		c.setting(setting, "%s has %d more problems by %s", file, n-maxViolations, name)
	}
}
