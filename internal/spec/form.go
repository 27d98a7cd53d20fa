package spec

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// FormSettings are the settings of a form of check that has a key of its own, such as probe: {tcp:
// "{{address}}"}.
type FormSettings interface {
	Settings
	// Traits are what a spec must know of the form.
	Traits() FormTraits
}

// FormTraits are what a spec must know of a form of check.
type FormTraits struct {
	// Shared are the fields of Check that mean something in the form, such as "tolerate"; name,
	// advisory and exercise always do.
	Shared []string
	// Tolerate is how many breaches in a row are forgiven unless the file says.
	Tolerate int
	// Source says that the form reads the source of health.
	Source bool
	// Budgeted says that it is a test with a part of Health.FalseRollbackRate.
	Budgeted bool
	// Opaque says that what a check of the form looks at is decided elsewhere and not known here,
	// as the rules are by which alerts fire.
	Opaque bool
}

// querying is a form that asks a source with a past about each target: by field.
type querying interface{ Queries() map[string]string }

// MaxAsk bounds how long a check may wait for one answer: a look takes 45 s at most.
const MaxAsk = Duration(30 * time.Second)

// FormNames are the keys of the forms that have one.
func (k Kinds) FormNames() []string { return names(k.Forms) }

// Form is the form of a check that has a key of its own; nil for any other check, and for one that
// k does not know.
func (k Kinds) Form(c Check) FormSettings {
	if s, err := decode(k.Forms, c.Form); err == nil {
		return s
	}
	return nil
}

// External says whether the check has a form with a key of its own, which most often asks somebody
// else than the source of health.
func (c Check) External() bool {
	return c.Form.Name != "" && !c.formTests()
}

// Sourceless says whether nothing has to be read from a source.
func (h Health) Sourceless() bool {
	return h.Traffic == "" && slices.Contains(h.Without, CheckTraffic) &&
		!slices.ContainsFunc(h.Checks, func(c Check) bool { return !c.External() || c.Exercise != nil })
}

// fillForms sets what forms leave out. How much a check tolerates is left out only if the file says
// so: 0 is a choice.
func fillForms(doc *strictyaml.Document, kinds Kinds, h *Health) {
	for i := range h.Checks {
		c := &h.Checks[i]
		form := kinds.Form(*c)
		if form == nil {
			continue
		}
		if n := form.Traits().Tolerate; n > 0 && !doc.Has(strictyaml.Index("health.checks", i)+".tolerate") {
			c.Tolerate = min(n, mostTolerated(*h))
		}
		if form.Traits().Budgeted {
			c.Weight = cmp.Or(c.Weight, 1)
		}
		form.SetDefaults()
		c.Form = Choose(c.Form.Name, form)
	}
}

// ownForm checks a check whose form has a key of its own, and says whether it is one.
func (v *validator) ownForm(i int, c Check) bool {
	path := strictyaml.Index("health.checks", i)
	found := v.In(path).AtMostOne(v.kinds.FormNames()...)
	for _, k := range v.kinds.Forms {
		at := path + "." + k.Name
		if k.Name == found {
			v.only(path, "a check with "+found, k.New().Traits().Shared...)
			v.tolerable(path, c)
			if at := path + ".weight"; v.Has(at) && !v.IsBad(at) {
				v.weight(at, c)
			}
		}
		if settings, ok := v.doc.Opened(at).(FormSettings); ok {
			v.spec.Health.Checks[i].Form = Choose(k.Name, settings)
			settings.Check(v.In(at))
			v.formQueries(at, settings)
		}
	}
	return found != ""
}

// formQueries checks what a form asks a source.
func (v *validator) formQueries(at string, settings FormSettings) {
	q, ok := settings.(querying)
	if !ok {
		return
	}
	for field, expr := range q.Queries() {
		if v.Has(at + "." + field) {
			v.query(at+"."+field, expr)
		}
	}
	v.perTarget(at, q.Queries())
	if v.source != nil && !v.source.Traits().Past {
		v.Bad(at, "needs a source that can be asked about the past, such as prometheus")
	}
}

// sourceFree says whether no check, as written, is about a source.
func (v *validator) sourceFree() bool {
	for i := range v.spec.Health.Checks {
		path := strictyaml.Index("health.checks", i)
		alone := slices.ContainsFunc(v.kinds.Forms, func(k Kind[FormSettings]) bool {
			return v.Given(path+"."+k.Name) && !k.New().Traits().Source
		})
		if v.IsBad(path) || v.Given(path+".exercise") || !alone {
			return false
		}
	}
	return len(v.spec.Health.Checks) > 0
}

// sourceless says whether the spec does without a source, and checks that it then asks for nothing
// that only a source can tell.
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
