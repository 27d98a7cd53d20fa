package spec

import (
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// maxSamples bounds what a check may ask for before it says anything.
const maxSamples = 1_000_000_000

// countCheck checks bad events out of all, each a query.
func (v *validator) countCheck(path string, c Check) {
	if v.Needs(path + ".bad") {
		v.query(path+".bad", c.Bad)
	}
	if v.Needs(path + ".total") {
		v.query(path+".total", c.Total)
	}
	fields := []string{"bad", "total", "max", "against", "worse", "minSamples", "each", "outliers"}
	if v.Given(path + ".each") {
		v.only(path, "a check of each target", fields...)
		if c.Each == EachTarget && c.Against == AgainstBefore {
			v.Bad(path+".against", "is %s, expected %s in a check of each target", AgainstBefore, AgainstControl)
		}
	} else {
		fields = append(fields, "objective", "burn", "match", "group_by")
		if !v.Given(path + ".max") {
			fields = append(fields, "weight")
		}
		v.only(path, "a check with bad and total", fields...)
	}
	if bad := strings.TrimSpace(c.Bad); bad != "" && bad == strings.TrimSpace(c.Total) {
		v.Bad(path+".bad", "is the same as total: every event would be bad, expected a query of the bad ones")
	}
	v.criterion(path, c)
	v.eachCheck(path, c)
	for field, expr := range map[string]string{path + ".bad": c.Bad, path + ".total": c.Total} {
		if !v.Given(path+".each") && (v.Given(path+".against") || v.Given(path+".objective")) {
			v.inLooks(field, expr)
		} else {
			v.counts(field, expr)
		}
	}
	v.sameRanges(path, c)
}

// sameRanges checks that bad events and all of them are counted over the same time.
func (v *validator) sameRanges(path string, c Check) {
	if v.source == nil || v.IsBad(path+".bad") || v.IsBad(path+".total") {
		return
	}
	language := v.source.Traits().Language
	bad, total := language.Ranges(c.Bad), language.Ranges(c.Total)
	if len(bad) > 0 && len(total) > 0 && !slices.Equal(bad, total) {
		v.Bad(path+".bad", "counts over %s, and total over %s, expected the same range in both, such as [$window]",
			strings.Join(bad, " and "), strings.Join(total, " and "))
	}
}

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

// criterion checks what bad events out of all are held against.
func (v *validator) criterion(path string, c Check) {
	v.Between(path+".minSamples", c.MinSamples, 1, maxSamples)
	s := v.In(path)
	if s.AtMostOne("max", "against", "objective") == "" && !s.AnyGiven("worse", "match", "group_by", "burn") { // each says what it needs
		v.In(path).Lacks("has no limit, expected max, against: %s or objective", AgainstControl)
	}
	v.Share(path+".max", c.Max, 1, "a ratio of bad to total is never more")
	if c.Max != nil && *c.Max == 1 {
		v.Bad(path+".max", "is 100%%, which no share of bad events is above: the check could never fail, expected less")
	}
	v.OneOf(path+".against", c.Against, AgainstControl, AgainstBefore)
	if v.Given(path+".worse") && !v.Given(path+".against") {
		v.Bad(path+".worse", "needs against: %s in the same check", AgainstControl)
	}
	v.Share(path+".worse", c.Worse, 10, "such a check would hardly ever fail")
	v.objective(path, c)
	v.label(path+".group_by", c.GroupBy)
	v.label(path+".match", c.Match)
	for _, field := range []string{"group_by", "match"} {
		switch at := path + "." + field; {
		case !v.Given(at):
		case field == "group_by" && !v.Given(path+".against"):
			v.Bad(at, "needs against: %s in the same check", AgainstControl)
		case v.source != nil && !v.source.Traits().Parts:
			v.Bad(at, "needs a source that can be asked about some targets alone, such as prometheus: remove it, or use one")
		}
	}
	if v.Given(path+".match") && c.Against != AgainstControl && !v.IsBad(path+".against") {
		v.Bad(path+".match", "says which targets to compare with, expected against: %s beside it", AgainstControl)
	}
}

// objective checks a share of good events, and how fast it may be missed.
func (v *validator) objective(path string, c Check) {
	if at := path + ".objective"; c.Objective != nil {
		switch n := float64(*c.Objective); {
		case n <= 0:
			v.Bad(at, "is %v, expected more than 0%% and less than 100%%, such as 99.9%%", n)
		case n == 1:
			v.Bad(at, "is 100%%, which leaves no room for a single bad event, expected less, or max: 0 instead")
		case n > 1:
			v.Bad(at, "is %v, which is %v%%, expected less than 100%%; did you mean %v%%?", n, n*100, n)
		}
	}
	at := path + ".burn"
	switch {
	case !v.Given(at):
	case !v.Given(path + ".objective"):
		v.Bad(at, "needs objective: 99.9%% in the same check")
	case v.IsBad(at) || v.IsBad(path+".objective") || c.Objective == nil:
	case c.Burn <= 0:
		v.Bad(at, "is %v, expected more than 0", float64(c.Burn))
	case c.Burn*(1-*c.Objective) >= 1:
		v.Bad(at, "is %v: with the objective at %s every event could be bad, expected less", float64(c.Burn), v.At(path+".objective"))
	}
}

// counts checks that a query counts events.
func (v *validator) counts(path, expr string) {
	if v.source != nil && v.Has(path) && !v.IsBad(path) {
		v.source.Traits().Language.Counts(v.Section, path, expr)
	}
}

// inLooks checks that a query can be asked for one look at a time.
func (v *validator) inLooks(path, expr string) {
	if v.source != nil && !v.IsBad(path) {
		v.source.Traits().Language.InLooks(v.Section, path, expr)
	}
}

// meanCheck checks a number whose mean is compared.
func (v *validator) meanCheck(path string, c Check) {
	v.only(path, "a check of a value against others", "value", "against", "drop", "rise", "minSamples", "weight")
	v.OneOf(path+".against", c.Against, AgainstControl, AgainstBefore)
	v.Between(path+".minSamples", c.MinSamples, 1, maxSamples)
	if !v.Given(path+".drop") && !v.Given(path+".rise") {
		v.In(path).Lacks("has no limit, expected drop or rise: by how much its mean may be below or above the other's, such as drop: 20%%")
	}
	v.Share(path+".drop", c.Drop, 0.99, "nothing falls by more than all of it")
	v.Share(path+".rise", c.Rise, 10, "such a check would hardly ever fail")
	v.perTarget(path, map[string]string{"value": c.Value})
}

// weight checks a check's part of the error budget.
func (v *validator) weight(path string, c Check) {
	if c.Weight < minWeight || c.Weight > maxWeight {
		v.Bad(path, "is %v, expected %v to %v: 1 is as much as any other check", float64(c.Weight), float64(minWeight), float64(maxWeight))
	}
}

// exercise checks what must have happened, if the file says so.
func (v *validator) exercise(path string, c Check) {
	path += ".exercise"
	if c.Exercise == nil || v.IsBad(path) {
		return
	}
	if at := path + ".count"; v.Needs(at) {
		v.query(at, c.Exercise.Count)
		v.inLooks(at, c.Exercise.Count)
	}
	if at := path + ".min"; v.Needs(at) {
		v.Between(at, c.Exercise.Min, 1, maxSamples)
	}
}

// decides checks that some check is left that decides.
func (v *validator) decides(checks []Check) {
	if slices.ContainsFunc(checks, func(c Check) bool { return !c.Advisory }) {
		return
	}
	for i := range checks {
		if path := strictyaml.Index("health.checks", i); v.IsBad(path) || v.IsBad(path+".advisory") {
			return
		}
	}
	left := slices.DeleteFunc([]string{CheckAlive, CheckTraffic}, func(name string) bool {
		return slices.Contains(v.spec.Health.Without, name)
	})
	only := "nothing"
	if len(left) > 0 {
		only = "only " + strings.Join(left, " and ")
	}
	v.Bad(strictyaml.Index("health.checks", 0)+".advisory", "every check is advisory, so that %s would decide, expected one that is not", only)
}
