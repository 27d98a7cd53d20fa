package driver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/spec"
)

// releases are those of the parts in a word that names them all.
func (p partsDriver) releases(word string) ([]string, error) {
	named, err := spec.Decompose(word)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(p))
	for i, part := range p {
		if word == "" {
			continue
		}
		if len(named) != len(p) || named[i].Unit != part.Unit {
			return nil, fmt.Errorf("%q names other parts than %s", word, p.units())
		}
		out[i] = named[i].Release
	}
	return out, nil
}

func (p partsDriver) units() string {
	names := make([]string, len(p))
	for i, part := range p {
		names[i] = part.Unit
	}
	return strings.Join(names, ", ")
}

// MadeOf says whether what a target runs is one of some releases or, of parts, a mixture of them.
func MadeOf(d Driver, release string, of ...string) bool {
	p, ok := d.(partsDriver)
	if !ok {
		return slices.Contains(of, release)
	}
	found, err := p.releases(release)
	if err != nil {
		return false
	}
	known := make([][]string, len(p)) // of each part
	for _, word := range of {
		releases, err := p.releases(word)
		if err != nil {
			continue
		}
		for i, r := range releases {
			known[i] = append(known[i], r)
		}
	}
	for i, r := range found {
		if !slices.Contains(known[i], r) {
			return false
		}
	}
	return true
}

// Holds says whether what a target runs is a release, or has a part of it that another release has
// not.
func Holds(d Driver, found, release, other string) bool {
	p, ok := d.(partsDriver)
	if !ok || found == release {
		return found == release
	}
	has, err1 := p.releases(found)
	of, err2 := p.releases(release)
	not, err3 := p.releases(other)
	if err1 != nil || err2 != nil || err3 != nil {
		return false
	}
	for i, r := range has {
		if r == of[i] && r != not[i] {
			return true
		}
	}
	return false
}

// Differ is what a target runs and what it should run, cut to the parts that are not the same.
func Differ(d Driver, found, want string) (string, string) {
	p, ok := d.(partsDriver)
	if !ok {
		return found, want
	}
	has, err1 := p.releases(found)
	should, err2 := p.releases(want)
	if err1 != nil || err2 != nil {
		return found, want
	}
	var a, b []spec.PartRelease
	for i, part := range p {
		if has[i] != should[i] {
			a, b = append(a, spec.PartRelease{Unit: part.Unit, Release: has[i]}), append(b, spec.PartRelease{Unit: part.Unit, Release: should[i]})
		}
	}
	return spec.Compose(a), spec.Compose(b)
}

// Lacks names a part of which nothing is installed, where something is of others.
func Lacks(d Driver, release string) (unit string) {
	p, ok := d.(partsDriver)
	if !ok || release == "" {
		return ""
	}
	releases, err := p.releases(release)
	if i := slices.Index(releases, ""); err == nil && i >= 0 {
		return p[i].Unit
	}
	return ""
}
