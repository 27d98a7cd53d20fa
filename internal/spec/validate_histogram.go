package spec

import (
	"strings"
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
	switch {
	case v.IsBad(path):
	case strings.TrimSpace(text) == "":
		v.Bad(path, "is empty, %s", histogramExample)
	case v.source != nil:
		v.source.Traits().Language.Histogram(v.Section, path, text)
	}
}
