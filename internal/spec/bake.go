package spec

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// BakeTime is the bake of a stage as a file has it: a duration, or a mapping of a bake that may end
// early. Parse takes it apart into Stage.Bake and Stage.Adaptive.
type BakeTime struct {
	// Min is how long the stage is watched at least. Default: Health.Warmup and one look.
	Min Duration `yaml:"min,omitempty"`
	// Max is how long it is watched at the longest.
	Max Duration `yaml:"max"`
	// Enough is how many times worse than what it is compared with a check must have been shown not
	// to be: 2x is twice.
	Enough Ratio `yaml:"enough"`
	// Risk is the level at which that must be shown: how likely it is at most to be shown of a
	// release that is that much worse. Default 5%.
	Risk Number `yaml:"risk,omitempty"`

	fixed bool // written as a duration
}

// UnmarshalText reads the short form, a duration.
func (b *BakeTime) UnmarshalText(text []byte) error {
	d, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*b = BakeTime{Max: d, fixed: true}
	return nil
}

// Adaptive lets a bake end before its time, once every check has shown that it is not worse than
// Enough times what it is compared with. Parse sets every field.
type Adaptive struct {
	// Min is how long the stage is watched at least.
	Min Duration `json:"min"`
	// Enough is more than 1 and at most 100.
	Enough Ratio `json:"enough"`
	// Risk is a probability, above 0 and at most one half.
	Risk Number `json:"risk"`
}

// Defaults and limits of a bake that may end early.
const (
	defaultRisk = Number(0.05)
	maxEnough   = Ratio(100)
)

// fillBake takes what a valid file says apart.
func fillBake(s *Stage, h Health) {
	w := s.Written
	s.Written, s.Bake = BakeTime{}, w.Max
	if w.fixed {
		return
	}
	s.Adaptive = &Adaptive{Min: w.Min, Enough: w.Enough, Risk: w.Risk}
	if w.Min == 0 {
		s.Adaptive.Min = min(w.Max, h.Warmup+every(h))
	}
	if w.Risk == 0 {
		s.Adaptive.Risk = defaultRisk
	}
}

// bake checks that a stage is watched for long enough to see anything.
func (v *validator) bake(path string, s Stage) {
	path += ".bake"
	if !v.Needs(path) || v.IsBad(path) {
		return
	}
	w := s.Written
	if w.fixed {
		v.watched(path, w.Max)
		return
	}
	if v.Needs(path + ".max") {
		v.watched(path+".max", w.Max)
	}
	if v.Given(path + ".min") {
		v.watched(path+".min", w.Min)
		if v.Has(path+".max") && !v.IsBad(path+".max") && w.Min > w.Max {
			v.Bad(path+".min", "is %s, expected at most max, %s at %s", w.Min, w.Max, v.At(path+".max"))
		}
	}
	if at := path + ".enough"; v.Needs(at) && (w.Enough <= 1 || w.Enough > maxEnough) {
		v.Bad(at, "is %s, expected more than 1x and at most %s, such as 2x: not worse than twice what it is compared with", w.Enough, maxEnough)
	}
	if v.Has(path + ".risk") {
		v.Rate(path+".risk", w.Risk, "a coin would do as well")
	}
}

// watched checks how long a stage is watched.
func (v *validator) watched(path string, d Duration) {
	h := v.spec.Health
	switch {
	case d <= 0:
		v.Bad(path, "is 0s, expected more: a stage that is not watched proves nothing")
	case d < v.every():
		v.Bad(path, "is %s, expected at least %s, the time between two looks (health.every)", d, every(h))
	case d <= h.Warmup && !v.IsBad("health.warmup") && !v.IsBad("health.every"):
		v.Bad(path,
			"is %s, expected more than health.warmup (%s, at %s): samples of the warm-up do not count", d, h.Warmup, v.At("health.warmup"))
	}
}

// Ratio is how many times one thing is another, written 2x or 2.
type Ratio float64

// UnmarshalText reads a finite number, with an x behind it or without.
func (r *Ratio) UnmarshalText(text []byte) error {
	f, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(string(text), "x")), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Errorf("%s is not a ratio, expected one such as 2x", strictyaml.Quote(string(text)))
	}
	*r = Ratio(f)
	return nil
}

// String is the form with an x.
func (r Ratio) String() string { return strconv.FormatFloat(float64(r), 'g', -1, 64) + "x" }

// UnmarshalJSON reads a JSON number.
func (r *Ratio) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, (*float64)(r)) }
