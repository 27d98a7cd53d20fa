package spec

import (
	"regexp"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// minEvery keeps a rollout from becoming a load test of its source.
const minEvery = Duration(100 * time.Millisecond)

// metricLabelForm is the form of a label's name in metrics.
var metricLabelForm = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// metricLabel checks a label's name in metrics.
func (v *validator) metricLabel(path, name string) bool {
	if metricLabelForm.MatchString(name) {
		return true
	}
	v.Bad(path, "%s is not a label, expected letters, digits and '_', not beginning with a digit", strictyaml.Quote(name))
	return false
}

func (v *validator) health() {
	h := v.spec.Health
	for i, name := range h.Without {
		v.OneOf(strictyaml.Index("health.without", i), name, CheckAlive, CheckTraffic)
		v.once("health.without", h.Without, i)
	}
	v.sources()
	if path := "health.identify.label"; v.Has(path) {
		v.metricLabel(path, h.Identify.Label)
	}
	if path := "health.identify.value"; v.Has(path) {
		v.TargetTemplate(path, h.Identify.Value)
	}
	if path := "health.falseRollbackRate"; v.Has(path) {
		v.Rate(path, h.FalseRollbackRate, "more than every other good release would be rolled back")
	}
	if v.Needs("health.checks") {
		v.checks()
	}
	v.traffic(h)
}

// sources checks that there is exactly one place where numbers come from.
func (v *validator) sources() {
	given := v.given("health", v.kinds.SourceNames())
	switch {
	case len(given) > 1:
		v.Bad("health."+given[1], "cannot be combined with %s at %s: keep one source", given[0], v.At("health."+given[0]))
	case len(given) == 0 && !v.IsBad("health.checks") && !v.sourceless() && !v.doc.Strange("health"):
		v.Bad("health", "has no source, expected %s", v.kinds.sourceExamples())
	case len(given) == 0:
		v.In("health").Foreign("a spec without a source", "token", "basicAuth", "header", "tls")
	}
	v.In("health").Access(v.spec.Health.Access)
	for _, name := range given {
		if settings, ok := v.doc.Opened("health." + name).(SourceSettings); ok {
			settings.Check(v.In("health." + name))
			v.spec.Health.Source = Choose(name, settings)
		}
	}
}

// given are those of some keys that the file sets.
func (v *validator) given(path string, keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !v.Given(path + "." + key) })
}

// misspelt says that it is not known which always-on checks are meant to be left out.
func (v *validator) misspelt(h Health) bool {
	bad := v.IsBad("health.without")
	for i := range h.Without {
		bad = bad || v.IsBad(strictyaml.Index("health.without", i))
	}
	return bad
}

// traffic checks that the share-of-traffic check has something to count, or was left out on
// purpose.
func (v *validator) traffic(h Health) {
	left, misspelt, counted := slices.Contains(h.Without, CheckTraffic), v.misspelt(h), v.IsBad("health.checks")
	for i := range h.Checks {
		counted = counted || v.Given(strictyaml.Index("health.checks", i)+".total")
	}
	switch {
	case v.Given("health.traffic") && left:
		v.Bad("health.traffic", "has no effect, since without leaves the traffic check out: keep one of them")
	case v.Given("health.traffic"):
		v.query("health.traffic", h.Traffic)
		v.counts("health.traffic", h.Traffic)
	case !left && !counted && !misspelt && (len(v.given("health", v.kinds.SourceNames())) > 0 || !v.sourceFree()):
		v.Bad("health",
			"the always-on check %q has nothing to count, since no check has a total: expected traffic: with a query that counts requests, or "+
				"without: [traffic] to leave the check out", CheckTraffic)
	}
}
