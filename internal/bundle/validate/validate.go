// Package validate decides whether the files of a bundle are fit to be released: by the schemas and
// the limits of a spec, and by how much they differ from what the fleet runs.
package validate

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/data"
	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Finding is one thing that is wrong.
type Finding struct {
	// Setting is the path of the setting in the spec that says so.
	Setting string
	// Problem has the file in the bundle and the place in it; without a file it is the setting
	// itself that is wrong, or the bundle as a whole.
	strictyaml.Problem
}

// Reads says which files' contents the validators need.
func Reads(v spec.Validate) func(bundle.File) bool {
	return func(f bundle.File) bool {
		for pattern := range v.Schema {
			if matches(pattern, f.Path) {
				return true
			}
		}
		_, limited := entriesOf(v)[f.Path]
		return limited
	}
}

// matches is path.Match for a pattern with a slash; one without is for the name in every folder.
func matches(pattern, file string) bool {
	if !strings.Contains(pattern, "/") {
		file = path.Base(file)
	}
	ok, err := path.Match(pattern, file)
	return ok && err == nil
}

// entriesOf are the files that have entries that are counted.
func entriesOf(v spec.Validate) map[string]bool {
	out := map[string]bool{}
	for place := range v.Limits.Entries {
		p, _ := data.ParsePlace(place) // the spec was checked
		out[p.File] = true
	}
	if v.Change != nil && v.Change.Of != "" {
		p, _ := data.ParsePlace(v.Change.Of)
		out[p.File] = true
	}
	return out
}

// Check decides by schemas and limits about a bundle with those contents that Reads asks for.
// Schemas are the contents of the schemas that v names, by the name that it has for them.
func Check(v spec.Validate, f bundle.Read, schemas map[string][]byte) []Finding {
	c := checking(f)
	if size := f.Bundle.Size(); v.Limits.Bytes > 0 && size > int64(v.Limits.Bytes) {
		c.setting("validate.limits.bytes", "the bundle has %s bytes, at most %s", integer(int(size)), integer(int(v.Limits.Bytes)))
	}
	for _, place := range slices.Sorted(maps.Keys(v.Limits.Entries)) {
		setting, most := strictyaml.Field("validate.limits.entries", place), v.Limits.Entries[place]
		if at := c.entries(setting, place); at != nil && len(at.Items) > most {
			c.file(setting, place, at, "%s has %s entries, at most %s", place, integer(len(at.Items)), integer(most))
		}
	}
	if v.Change != nil && v.Change.Of != "" {
		c.entries("validate.change.of", v.Change.Of)
	}
	for _, pattern := range slices.Sorted(maps.Keys(v.Schema)) {
		c.schema(strictyaml.Field("validate.schema", pattern), pattern, v.Schema[pattern], schemas)
	}
	return c.findings
}

// checker collects what is wrong.
type checker struct {
	bundle.Read
	read     map[string]*data.Value
	broken   map[string]bool // files that could not be read: said once
	findings []Finding
}

func checking(f bundle.Read) checker {
	return checker{Read: f, read: map[string]*data.Value{}, broken: map[string]bool{}}
}

func (c *checker) setting(setting, format string, args ...any) {
	c.findings = append(c.findings, Finding{setting, strictyaml.Problem{Message: fmt.Sprintf(format, args...)}})
}

// file reports a problem at a value of a file; place is its path, with or without a pointer.
func (c *checker) file(setting, place string, at *data.Value, format string, args ...any) {
	file, _, _ := strings.Cut(place, "#")
	problem := strictyaml.Problem{File: file, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...)}
	c.findings = append(c.findings, Finding{setting, problem})
}

// value reads a file once; nil where it is not to be read, which is reported.
func (c *checker) value(setting, file string) *data.Value {
	if v, ok := c.read[file]; ok || c.broken[file] {
		return v
	}
	content, ok := c.Contents[file]
	if !ok {
		c.setting(setting, "%s is not in the bundle", file)
		return nil
	}
	v, err := data.Read(file, content)
	if err == nil {
		c.read[file] = v
		return v
	}
	c.broken[file] = true
	for _, p := range problems(err) {
		c.findings = append(c.findings, Finding{setting, p})
	}
	return nil
}

func problems(err error) strictyaml.Problems {
	if all, ok := errors.AsType[strictyaml.Problems](err); ok {
		return all
	}
	if one, ok := errors.AsType[strictyaml.Problem](err); ok {
		return strictyaml.Problems{one}
	}
	return strictyaml.Problems{{Message: err.Error()}}
}

// entries is the list or mapping at a place; nil where there is none, which is reported.
func (c *checker) entries(setting, place string) *data.Value {
	p, err := data.ParsePlace(place)
	if err != nil {
		c.setting(setting, "%s", err)
		return nil
	}
	whole := c.value(setting, p.File)
	if whole == nil {
		return nil
	}
	switch at := whole.At(p.Pointer); {
	case at == nil:
		c.file(setting, place, whole, "there is nothing at %s", place)
	case at.Kind == data.Scalar:
		c.file(setting, place, at, "%s is %s, expected a list or a mapping", place, at.Text(maxShown))
	default:
		return at
	}
	return nil
}

// maxShown is how many bytes of a value a message shows.
const maxShown = 60

func integer(n int) string { return humanize.Integer(float64(n)) }
