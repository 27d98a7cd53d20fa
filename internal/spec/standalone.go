package spec

import (
	"cmp"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// Standalone is one check that stands alone, to judge numbers that were recorded: the fields of a
// check of a spec, with what a spec says for all of them. The queries may be left out.
type Standalone struct {
	Check `yaml:",inline"`
	// Every is the time between two looks. Default: as the numbers have it.
	Every Duration `yaml:"every,omitempty"`
	// Bake is how long it is watched. Default: as long as there are numbers.
	Bake BakeTime `yaml:"bake,omitempty"`
	// FalseRollbackRate is how often a healthy change may be taken back. Default 0.1%.
	FalseRollbackRate Number `yaml:"falseRollbackRate,omitempty"`
}

// ParseStandalone reads and validates a check that stands alone, and fills in its defaults, but
// those that the numbers tell. File is how problems name it; the error is a strictyaml.Problems.
func ParseStandalone(file string, data []byte, kinds Kinds) (Standalone, error) {
	var l Standalone
	doc := strictyaml.Decode(file, data, MaxBytes, kinds.open(), &l)
	if doc.Readable() {
		v := validator{Section: Section{doc: doc}, spec: &Spec{}, kinds: kinds}
		v.standalone(l)
	}
	if err := doc.Problems().Err(); err != nil {
		return Standalone{}, err
	}
	l.Name = cmp.Or(l.Name, "check")
	l.MinSamples = cmp.Or(l.MinSamples, 100)
	l.FalseRollbackRate = cmp.Or(l.FalseRollbackRate, defaultFalseRollbackRate)
	if l.Bake.Enough != 0 {
		l.Bake.Risk = cmp.Or(l.Bake.Risk, defaultRisk)
	}
	return l, nil
}

func (v *validator) standalone(l Standalone) {
	v.Positive("every", l.Every)
	v.Between("minSamples", l.MinSamples, 1, maxSamples)
	if v.Has("falseRollbackRate") {
		v.Rate("falseRollbackRate", l.FalseRollbackRate, "a coin would do as well")
	}
	v.standaloneBake(l.Bake)
	for _, form := range append([]string{
		"value", "min", "tolerate", "drop", "rise", "slow", "match", "group_by", "exercise", "each", "outliers",
	}, v.kinds.FormNames()...) {
		if v.Given(form) {
			v.Bad(form, "cannot be judged from recorded counts, expected a check of bad and total with against")
		}
	}
	v.OneOf("against", l.Against, AgainstControl, AgainstBefore)
	if v.AtMostOne("against", "objective") == "" {
		v.Bad("against", "is required, or objective")
	}
	n := 0.0
	if l.Objective != nil {
		n = float64(*l.Objective)
	}
	if v.Has("objective") && (n <= 0 || n >= 1) {
		v.Bad("objective", "is %v, expected more than 0%% and less than 100%%, such as 99.9%%", n)
	} else if burn := float64(l.Burn); v.Has("burn") && (burn <= 0 || burn*(1-n) >= 1) {
		v.Bad("burn", "is %v, expected more than 0, and less than would allow every event to be bad", burn)
	}
	v.Share("worse", l.Worse, 10, "such a check would hardly ever fail")
	if v.Given("max") {
		v.Bad("max", "cannot be combined with against: recorded counts are judged against the control's")
	}
}

func (v *validator) standaloneBake(b BakeTime) {
	switch {
	case !v.Given("bake") || v.IsBad("bake"):
	case b.Max <= 0:
		v.Bad("bake", "is watched for no time, expected a duration such as 30m, or {max: 30m, enough: 2x}")
	case b.fixed:
	case b.Enough <= 1 || b.Enough > maxEnough:
		v.Bad("bake", "has enough: %s, expected more than 1x and at most %s, such as 2x", b.Enough, maxEnough)
	case b.Min > b.Max:
		v.Bad("bake", "has min: %s, expected at most max, %s", b.Min, b.Max)
	case v.Has("bake.risk"):
		v.Rate("bake.risk", b.Risk, "a coin would do as well")
	}
}
