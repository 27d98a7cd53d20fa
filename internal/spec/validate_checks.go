package spec

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

func (v *validator) checks() {
	checks := v.spec.Health.Checks
	switch {
	case len(checks) == 0:
		v.Bad("health.checks", "is empty, expected at least one check")
		return
	case len(checks) > maxChecks:
		v.Bad("health.checks", "has %d checks, expected at most %d", len(checks), maxChecks)
		return
	}
	names := map[string]string{}
	for i, c := range checks {
		path := strictyaml.Index("health.checks", i)
		if c.Name == CheckAlive || c.Name == CheckTraffic {
			v.Bad(path+".name", "%q is the name of a check that is always on, expected another", c.Name)
		}
		v.name(path, c.Name, "check", names)
		v.check(i, c)
	}
	v.decides(checks)
}

// check tells the form of a check by its fields and checks that form.
func (v *validator) check(i int, c Check) {
	path := strictyaml.Index("health.checks", i)
	v.exercise(path, c)
	if v.ownForm(i, c) {
		return
	}
	forms := slices.DeleteFunc(sharedForms(), func(f sharedForm) bool { return !v.In(path).AnyGiven(f.fields...) })
	switch {
	case len(forms) > 1:
		v.Bad(path, "has %s, expected one form: value, bad and total, or slow", forms[0].name+" beside "+forms[1].name)
	case len(forms) == 1:
		forms[0].check(v, path, c)
		if at := path + ".weight"; v.Has(at) && !v.IsBad(at) {
			v.weight(at, c)
		}
	case v.Given(path + ".exercise"):
		v.only(path, "a check with exercise alone")
	default:
		v.In(path).Lacks(
			"has no form, expected value with max, min or against, bad and total or slow with max, against or objective, or one of %s",
			list(append([]string{"exercise"}, v.kinds.FormNames()...)))
	}
}

// sharedForm is a form of check that is told by fields of Check.
type sharedForm struct {
	name   string
	fields []string
	check  func(v *validator, path string, c Check)
}

// sharedForms are all of them.
func sharedForms() []sharedForm {
	return []sharedForm{
		{"value", []string{"value"}, (*validator).valueCheck},
		{"bad and total", []string{"bad", "total"}, (*validator).countCheck},
		{"slow", []string{"slow"}, (*validator).slowCheck},
	}
}

// eachCheck checks what belongs to a check of every single target: its queries must tell targets
// apart.
func (v *validator) eachCheck(path string, c Check) {
	v.OneOf(path+".each", c.Each, EachTarget)
	v.Between(path+".outliers", c.Outliers, 0, 10_000)
	if v.Given(path+".outliers") && !v.Given(path+".each") {
		v.Bad(path+".outliers", "needs each: %s in the same check", EachTarget)
	}
	if c.Each == EachTarget {
		v.perTarget(path, map[string]string{"value": c.Value, "bad": c.Bad, "total": c.Total})
	}
}

// perTarget checks that queries answer a series of each target.
func (v *validator) perTarget(path string, queries map[string]string) {
	if v.source == nil || v.IsBad("health.identify.label") {
		return
	}
	label := cmp.Or(v.spec.Health.Identify.Label, defaultLabel)
	for field, expr := range queries {
		if expr != "" && !v.IsBad(path+"."+field) {
			v.source.Traits().Language.PerTarget(v.Section, path+"."+field, expr, label)
		}
	}
}

func (v *validator) valueCheck(path string, c Check) {
	v.query(path+".value", c.Value)
	if v.Given(path + ".against") {
		v.meanCheck(path, c)
		return
	}
	for _, field := range []string{"drop", "rise"} {
		if v.Given(path + "." + field) {
			v.Bad(path+"."+field, "needs against: %s in the same check", AgainstControl)
		}
	}
	v.only(path, "a check with a value", "value", "max", "min", "drop", "rise", "tolerate", "each", "outliers")
	v.eachCheck(path, c)
	if !v.In(path).AnyGiven("max", "min", "drop", "rise") {
		v.In(path).Lacks("has no limit, expected max or min, or against: %s with drop or rise", AgainstControl)
	}
	if c.Max != nil && c.Min != nil && *c.Max < *c.Min {
		v.Bad(path+".max", "is %v, which is less than min, %v at %s: no number fits", float64(*c.Max), float64(*c.Min), v.At(path+".min"))
	}
	v.tolerable(path, c)
}

// tolerable checks how many breaches in a row are forgiven.
func (v *validator) tolerable(path string, c Check) {
	v.Between(path+".tolerate", c.Tolerate, 0, 1000)
	if most := mostTolerated(v.spec.Health); c.Tolerate > most && c.Tolerate <= 1000 && !v.IsBad("health.every") {
		v.Bad(path+".tolerate", "is %d: with a look every %s (health.every) that tolerates a breach for %s, expected at most %d (%s)",
			c.Tolerate, every(v.spec.Health), Duration(c.Tolerate)*every(v.spec.Health), most, maxTolerated)
	}
}

// maxTolerated is how long a breach may be forgiven: a gate that still sees one goes on looking,
// and an attempt at a gate ends after a quarter of an hour.
const maxTolerated = Duration(10 * time.Minute)

// mostTolerated is how many looks that is.
func mostTolerated(h Health) int { return int(maxTolerated / every(h)) }

// checkFields are all fields of a check that mean something in some forms only.
var checkFields = [...]string{
	"value", "max", "min", "drop", "rise", "tolerate", "bad", "total", "slow", "against", "worse", "match",
	"objective", "burn", "group_by", "minSamples", "weight", "each", "outliers",
}

// only refuses every field but those.
func (v *validator) only(path, form string, fields ...string) {
	for _, field := range checkFields {
		if !slices.Contains(fields, field) {
			v.In(path).Foreign(form, field)
		}
	}
}

// query checks an expression for the source that will be asked.
func (v *validator) query(path, expr string) {
	if v.IsBad(path) {
		return
	}
	if strings.TrimSpace(expr) == "" {
		v.Bad(path, "is empty, expected a query")
		return
	}
	if v.source != nil { // otherwise it is not known which language it is in
		v.source.Traits().Language.Query(v.Section, path, expr)
	}
}
