package spec

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Part is one of the units that a rollout moves and takes back as one.
type Part struct {
	// Unit names the part: its driver, and what runs on the target, know it by this name.
	Unit string `yaml:"unit" json:"unit" jsonschema:"pattern=^[a-z0-9][a-z0-9._-]*$,maxLength=64"`
	// Release is the version that the part's driver understands.
	Release string `yaml:"release,omitempty" json:"release" jsonschema:"maxLength=128"`
	// Bundle is a folder of files or the reference of a bundle, in the place of Release. Only a
	// file has it; whoever reads that sets Release.
	Bundle string `yaml:"bundle,omitempty" json:"-"`
	// Validate is what must hold of the bundle's files. Only a file has it, as Bundle.
	Validate *Validate `yaml:"validate,omitempty" json:"-"`
	// Driver says how the part gets onto a target. Exactly one is set.
	Driver Driver `yaml:"driver" json:"driver"`
}

const (
	// maxParts bounds how many units move as one.
	maxParts = 10
	// maxComposed bounds the word for all of them, as Temporal's index does.
	maxComposed = 255
	// nothing stands in such a word where a part has no release.
	nothing = "none"
	// anyBundle is as long as the name of every bundle.
	anyBundle = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// PartRelease is the release of one part; empty where nothing is installed.
type PartRelease struct{ Unit, Release string }

// Compose is one word that names the release of every part, such as app=2.4.0,features=none. It is
// empty where nothing is installed of any.
func Compose(parts []PartRelease) string {
	words, empty := make([]string, len(parts)), true
	for i, p := range parts {
		word := strings.NewReplacer("%", "%25", ",", "%2C").Replace(p.Release)
		switch word {
		case "":
			word = nothing
		case nothing: // a release that is called so
			word = "%6Eone"
		}
		words[i], empty = p.Unit+"="+word, empty && p.Release == ""
	}
	if empty {
		return ""
	}
	return strings.Join(words, ",")
}

// Decompose reads a word that Compose has made, and nothing else. An empty one has no parts.
func Decompose(word string) ([]PartRelease, error) {
	if word == "" {
		return nil, nil
	}
	var parts []PartRelease
	for text := range strings.SplitSeq(word, ",") {
		unit, escaped, _ := strings.Cut(text, "=")
		release, err := url.PathUnescape(escaped)
		if escaped == nothing {
			release = ""
		}
		if err != nil || !unitForm.MatchString(unit) {
			return nil, fmt.Errorf("%s does not name the releases of parts, expected one such as app=2.4.0,features=none", strictyaml.Quote(word))
		}
		parts = append(parts, PartRelease{unit, release})
	}
	if Compose(parts) != word {
		return nil, fmt.Errorf("%s does not name the releases of parts as they are written, "+
			"expected one such as app=2.4.0,features=none", strictyaml.Quote(word))
	}
	return parts, nil
}

// Composed is the word for the releases of a spec's parts; empty until each part has one.
func (s Spec) Composed() string {
	parts := make([]PartRelease, len(s.Parts))
	for i, p := range s.Parts {
		if p.Release == "" {
			return ""
		}
		parts[i] = PartRelease{p.Unit, p.Release}
	}
	return Compose(parts)
}

// drivers are the drivers of a spec, with the unit that each is for and the path that it has in the
// file.
func (s Spec) drivers() []unitDriver {
	if len(s.Parts) == 0 {
		return []unitDriver{{s.Unit, "driver", s.Driver}}
	}
	out := make([]unitDriver, len(s.Parts))
	for i, p := range s.Parts {
		out[i] = unitDriver{p.Unit, strictyaml.Index("parts", i) + ".driver", p.Driver}
	}
	return out
}

type unitDriver struct {
	unit, path string
	driver     Driver
}

// parts checks units that move as one.
func (v *validator) parts() {
	for _, field := range []string{"release", "bundle", "validate", "driver"} {
		if v.Given(field) {
			v.Bad(field, "cannot be combined with parts at %s: each part has its own", v.At("parts"))
		}
	}
	if v.Has("version") {
		v.release("version", v.spec.Version)
	}
	if n := len(v.spec.Parts); !v.IsBad("parts") && (n < 2 || n > maxParts) {
		v.Bad("parts", "has %d, expected 2 to %d units; one alone needs no parts", n, maxParts)
	}
	first, longest := map[string]string{}, make([]PartRelease, len(v.spec.Parts))
	for i := range v.spec.Parts {
		p, s := &v.spec.Parts[i], v.In(strictyaml.Index("parts", i))
		s.unit(p.Unit)
		if at, twice := first[p.Unit]; twice && s.Has("unit") {
			s.Bad("unit", "%s is a part already, at %s", strictyaml.Quote(p.Unit), at)
		}
		first[p.Unit] = s.At("unit")
		v.which(s, p.Release, p.Bundle)
		v.validators(s, p.Validate)
		if s.Needs("driver") {
			p.Driver = v.driver(s, p.Release)
		}
		longest[i] = PartRelease{p.Unit, p.Release}
		if s.Given("bundle") {
			longest[i].Release = anyBundle
		}
	}
	if n := len(Compose(longest)); n > maxComposed && !v.IsBad("parts") {
		v.Bad("parts", "name releases of %d bytes together, expected at most %d: shorter units, or fewer parts", n, maxComposed)
	}
	v.spec.Release = v.spec.Composed()
}
