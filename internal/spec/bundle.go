package spec

import (
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/internal/bundle/data"
	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// Validate is what must hold of the files of a bundle before anything is stored or changed. Only
// whoever builds the bundle looks.
type Validate struct {
	// Schema gives files their JSON Schemas: a pattern such as *.json, and the path of a schema
	// relative to the spec's folder. A pattern with a slash is for the whole path in the bundle,
	// one without for the name in every folder.
	Schema map[string]string `yaml:"schema,omitempty"`
	// Limits bound the bundle.
	Limits Limits `yaml:"limits,omitempty"`
	// Change bounds how much differs from what the fleet runs.
	Change *ChangeLimits `yaml:"change,omitempty"`
	// Command is a program and its arguments, which is run in the spec's folder, without a shell.
	// {{dir}} is a folder with the bundle's files. It refuses the bundle by an exit status other
	// than 0, or by taking longer than a minute.
	Command []string `yaml:"command,omitempty" jsonschema:"minItems=1"`
}

// Limits bound a bundle.
type Limits struct {
	// Bytes is how large all files together may be, such as 1MB.
	Bytes Size `yaml:"bytes,omitempty"`
	// Entries is how many entries a list or a mapping in a JSON or YAML file may have, by its
	// place: "features.json#/features", a path in the bundle and a JSON pointer.
	Entries map[string]int `yaml:"entries,omitempty"`
}

// ChangeLimits bound how much a bundle differs from the one that the fleet runs. Shares are of what
// the fleet runs.
type ChangeLimits struct {
	// MaxRemoved is how many entries may be gone.
	MaxRemoved *Number `yaml:"maxRemoved,omitempty"`
	// MaxChanged is how many may not be as they were: changed, added or removed.
	MaxChanged *Number `yaml:"maxChanged,omitempty"`
	// Of is the place of the list or the mapping whose entries are counted, as in Entries. Default:
	// the files of the bundle.
	Of string `yaml:"of,omitempty"`
}

// Size is a number of bytes, written with a unit: 64KB is 64,000, 64KiB is 65,536.
type Size int64

// sizeUnits are how many bytes a unit has, longer names first.
var sizeUnits = []struct {
	name  string
	bytes float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}}

// UnmarshalText reads "64KB".
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || math.IsNaN(n) || n*u.bytes < 1 || n*u.bytes > math.MaxInt32 {
			break
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%s is not a size, expected one such as 64KB, 1MB or 1MiB", strictyaml.Quote(string(text)))
}

// validators checks what the bundle of a section is validated by.
func (v *validator) validators(of Section, w *Validate) {
	s := of.In("validate")
	if w == nil || of.IsBad("validate") {
		return
	}
	if !of.Given("bundle") {
		of.Bad("validate", "goes with bundle: without one there are no files to look at")
	}
	if !s.AnyGiven("schema", "limits", "change", "command") {
		s.Lacks("says nothing, expected schema, limits, change or command")
	}
	if s.Has("limits") && !s.AnyGiven("limits.bytes", "limits.entries") {
		s.In("limits").Lacks("allow everything, expected bytes or entries")
	}
	for _, pattern := range slices.Sorted(maps.Keys(w.Schema)) {
		at := strictyaml.Field("schema", pattern)
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			s.Bad(at, "%s is not a pattern of files, expected one such as *.json or rules/*.yaml", strictyaml.Quote(pattern))
		} else if strings.TrimSpace(w.Schema[pattern]) == "" {
			s.Bad(at, "is empty, expected the path of a JSON Schema, relative to the spec's folder")
		}
	}
	for _, place := range slices.Sorted(maps.Keys(w.Limits.Entries)) {
		at := strictyaml.Field("limits.entries", place)
		s.place(at, place)
		if n := w.Limits.Entries[place]; n < 0 && !s.IsBad(at) {
			s.Bad(at, "is %d, expected 0 or more", n)
		}
	}
	v.change(s.In("change"), w.Change)
	s.Argv("command", w.Command, tmpl.Dir)
	names := func(arg string) bool { return strings.Contains(arg, "{{") }
	if s.Has("command") && !s.IsBad("command") && !slices.ContainsFunc(w.Command, names) {
		s.Bad("command", "has no {{dir}}, and so could not look at the bundle: expected one such as [./check.sh, \"{{dir}}\"]")
	}
}

func (v *validator) change(s Section, c *ChangeLimits) {
	if c == nil || s.IsBad("") {
		return
	}
	if !s.AnyGiven("maxRemoved", "maxChanged") {
		s.Lacks("allows everything, expected maxRemoved or maxChanged, such as maxRemoved: 5%%")
	}
	const why = "it is a share of what the fleet runs, and one of 100% allows everything to go"
	s.Share("maxRemoved", c.MaxRemoved, 1, why)
	s.Share("maxChanged", c.MaxChanged, 1, why)
	if s.Has("of") {
		s.place("of", c.Of)
	}
}

// place checks a place in a file of the bundle.
func (s Section) place(field, text string) {
	if _, err := data.ParsePlace(text); err != nil {
		s.Bad(field, "%s", err)
	}
}
