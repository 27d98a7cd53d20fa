package spec

import (
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// ownForm checks a check whose form has a key of its own, and says whether it is one.
func (v *validator) ownForm(i int, c Check) bool {
	path := strictyaml.Index("health.checks", i)
	found := ""
	for _, k := range v.kinds.forms() {
		at := path + "." + k.Name
		switch {
		case !v.Given(at):
			continue
		case found != "":
			v.Bad(at, "cannot be combined with %s at %s: keep one of them", found, v.At(path+"."+found))
		default:
			found = k.Name
			v.only(path, "a check with "+found, k.New().Traits().Shared...)
			v.tolerable(path, c)
		}
		if settings, ok := v.doc.Opened(at).(FormSettings); ok {
			v.spec.Health.Checks[i].Form = Choose(k.Name, settings)
			settings.Check(v.In(at))
		}
	}
	if found == "" {
		return false
	}
	if c.Probe != nil {
		c.Probe.Check(v.In(path + ".probe"))
	}
	if c.Alerts != nil {
		c.Alerts.Check(v.In(path + ".alerts"))
	}
	if c.Webhook != nil {
		c.Webhook.Check(v.In(path + ".webhook"))
	}
	return true
}

// sourceFree says whether no check, as written, is about a source.
func (v *validator) sourceFree() bool {
	for i := range v.spec.Health.Checks {
		path := strictyaml.Index("health.checks", i)
		alone := slices.ContainsFunc(v.kinds.forms(), func(k Kind[FormSettings]) bool {
			return v.Given(path+"."+k.Name) && !k.New().Traits().Source
		})
		if v.IsBad(path) || v.Given(path+".exercise") || !alone {
			return false
		}
	}
	return len(v.spec.Health.Checks) > 0
}

// sourceless says whether the spec does without a source, and checks that it then
// asks for nothing that only a source can tell.
func (v *validator) sourceless() bool {
	switch h := v.spec.Health; {
	case !v.sourceFree():
		return false
	case v.Given("health.identify"):
		v.Bad("health.identify", "has no effect without a source of metrics: remove it, or add %s", strings.Join(v.kinds.SourceNames(), " or "))
	case !slices.Contains(h.Without, CheckTraffic) && !v.misspelt(h):
		v.Bad("health",
			"has no source, but the always-on check %q needs one: expected %s, or without: [traffic] to leave that check out",
			CheckTraffic, v.kinds.sourceExamples())
	}
	return true
}
