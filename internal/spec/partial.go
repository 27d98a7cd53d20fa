package spec

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Tolerate says what of a stage may go wrong without the stage being rolled back. The zero value
// tolerates nothing.
type Tolerate struct {
	// Unreachable is how many targets of the cohort may stay unanswered: a share such as 2%,
	// rounded down, or a count. They are left out, listed, and tried again before the rollout ends.
	Unreachable Allowance `yaml:"unreachable" json:"unreachable"`
}

// Allowance is how many of a group may be missing: a share in percent, or a count. At most one is
// positive; the zero value allows none.
type Allowance struct {
	Percent float64
	Targets int
}

// maxAllowance is the largest share that may be missing: beyond it a stage would show nothing about
// most of its targets.
const maxAllowance = 50

// UnmarshalText reads "2%" or "3".
func (a *Allowance) UnmarshalText(text []byte) error {
	s := string(text)
	if t, ok := strings.CutSuffix(s, "%"); ok {
		p, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
		switch {
		case err != nil || math.IsNaN(p):
		case p < 0 || p > maxAllowance:
			return fmt.Errorf("is %s, expected 0%% to %d%%", strictyaml.Quote(s), maxAllowance)
		default:
			*a = Allowance{Percent: p}
			return nil
		}
	} else if n, err := strconv.Atoi(s); err == nil {
		if n < 0 {
			return fmt.Errorf("is %d, expected 0 or more", n)
		}
		*a = Allowance{Targets: n}
		return nil
	}
	return fmt.Errorf("%s is not a number of targets, expected a percentage such as 2%% or a count such as 3", strictyaml.Quote(s))
}

// Of is how many of n may be missing: rounded down, and never all of them.
func (a Allowance) Of(n int) int {
	allowed := a.Targets
	if allowed == 0 {
		allowed = int(a.Percent*float64(n)/100 + 1e-9)
	}
	return max(0, min(allowed, n-1))
}

// String is the form that UnmarshalText reads.
func (a Allowance) String() string {
	if a.Percent > 0 {
		return strconv.FormatFloat(a.Percent, 'g', -1, 64) + "%"
	}
	return strconv.Itoa(a.Targets)
}

// MarshalText writes the form of String.
func (a Allowance) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Unreachable is how many of a cohort of n targets may stay unanswered in the stage.
func (s Stage) Unreachable(n int) int {
	if s.Tolerate == nil {
		return 0
	}
	return s.Tolerate.Unreachable.Of(n)
}

// FallbackRemove is the short form of a Fallback that removes the unit.
const FallbackRemove = "remove"

// Fallback is where a target is rolled back to that had nothing installed. Exactly one field is
// set.
type Fallback struct {
	// Remove takes the unit off the target again; "fallback: remove" is its short form.
	Remove bool `yaml:"remove,omitempty" json:"remove,omitempty"`
	// Release is what the target gets instead.
	Release string `yaml:"release,omitempty" json:"release,omitempty"`
}

// UnmarshalText reads the short form.
func (f *Fallback) UnmarshalText(text []byte) error {
	if string(text) != FallbackRemove {
		return fmt.Errorf(
			`is %s, expected %s, or {release: "1.0.0"} with the release to roll back to`, strictyaml.Quote(string(text)), FallbackRemove)
	}
	*f = Fallback{Remove: true}
	return nil
}

// UnmarshalJSON reads the mapping, which is how JSON is written.
func (f *Fallback) UnmarshalJSON(data []byte) error {
	type mapping Fallback
	return json.Unmarshal(data, (*mapping)(f))
}

// partial checks what a fleet that is not whole may do: targets without a release, and labels that
// the first stage must show.
func (v *validator) partial() {
	if v.spec.Fallback != nil && !v.IsBad("fallback") {
		v.fallback(*v.spec.Fallback)
	}
	for i, label := range v.spec.Represent {
		if v.label(strictyaml.Index("represent", i), label) {
			v.once("represent", v.spec.Represent, i)
		}
	}
}

func (v *validator) fallback(f Fallback) {
	switch path := "fallback.release"; {
	case v.Given(path) && v.Given("parts"):
		v.Bad(path, "cannot be combined with parts at %s: expected fallback: %s, which takes every part off again", v.At("parts"), FallbackRemove)
	case v.Given(path) && f.Remove:
		v.Bad(path, "cannot be combined with remove: keep one of them")
	case v.IsBad(path):
	case v.Given(path) && !v.release(path, f.Release):
	case v.Given(path) && v.takesBundles() && !bundle.IsRelease(f.Release):
		v.Bad(path, "the driver %s takes bundles: expected the digest of one, such as sha256:…, or fallback: %s",
			v.spec.Driver.Name, FallbackRemove)
	case v.Given(path) && f.Release == v.spec.Release:
		v.Bad(path, "is the release that is rolled out, at %s, expected one to roll back to, or fallback: %s", v.At("release"), FallbackRemove)
	case !v.Given(path) && !f.Remove && !v.IsBad("fallback.remove"):
		v.Bad("fallback", `says nothing, expected %s, or {release: "1.0.0"}`, FallbackRemove)
	}
}
