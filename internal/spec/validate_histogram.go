package spec

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/sluicehq/sluice/internal/promql"
)

// slowCheck checks requests that are counted by a histogram.
func (v *validator) slowCheck(path string, c Check) {
	v.only(path, "a check with slow", "slow", "max", "against", "worse", "match", "objective", "burn", "group_by", "minSamples", "weight")
	v.criterion(path, c)
	if c.Slow == nil || v.IsBad(path+".slow") {
		return
	}
	if v.Needs(path + ".slow.histogram") {
		v.histogram(path+".slow.histogram", c.Slow.Histogram)
	}
	if at := path + ".slow.over"; v.Needs(at) && c.Slow.Over <= 0 {
		v.Bad(at, "is %vs, expected more", float64(c.Slow.Over))
	}
}

// histogram checks the name or selector of a histogram.
func (v *validator) histogram(path, text string) {
	if v.IsBad(path) {
		return
	}
	const expected = "expected the name of a metric, with label matchers or without, such as http_request_duration_seconds{code!~\"5..\"}"
	if strings.TrimSpace(text) == "" {
		v.Bad(path, "is empty, %s", expected)
		return
	}
	prometheus, scrape := v.Given("health.prometheus"), v.Given("health.scrape")
	if prometheus == scrape { // which language it is in is not known
		return
	}
	filled := text
	if prometheus {
		if at, ok := errors.AsType[*promql.Error](promql.Check(text)); ok {
			v.BadInside(path, at.Offset, at.Message)
			return
		}
		if used := promql.Placeholders(text); !v.arm(path, used) {
			return
		}
		filled, _ = promql.Fill(text, promql.Values{Label: defaultLabel, Window: time.Minute})
	}
	name, matchers, err := promql.ParseSelector(filled)
	if at, ok := errors.AsType[*promql.Error](err); ok && scrape {
		v.BadInside(path, at.Offset, at.Message)
		return
	}
	if err != nil || !histogramForm.MatchString(text) {
		v.Bad(path, "is not a histogram, %s", expected)
		return
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			v.Bad(path, "is one of a histogram's series, expected the name of the histogram, %s", base)
			return
		}
	}
	if slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return m.Name == "le" }) {
		v.Bad(path, "picks buckets by their bound (le), expected all of the histogram's")
	}
}

// arm checks which targets a histogram is asked of.
func (v *validator) arm(path string, used []string) bool {
	switch exposed, cohort := slices.Contains(used, "exposed"), slices.Contains(used, "cohort"); {
	case slices.Contains(used, "window"):
		v.Bad(path, "has $window, expected the histogram alone: what it counted in each look is asked for by itself")
	case slices.Contains(used, "control"):
		v.Bad(path, "asks about $control, expected $exposed, $cohort or neither: the other arm is asked the same")
	case exposed && cohort:
		v.Bad(path, "asks about $exposed and $cohort, expected one of them")
	default:
		return true
	}
	return false
}
