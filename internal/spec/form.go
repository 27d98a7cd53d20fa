package spec

import (
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/strictyaml"
)

// FormSettings are the settings of a form of check that has a key of its own, such as
// probe: {tcp: "{{address}}"}.
type FormSettings interface {
	// Check reports what is wrong with the settings as the file has them, before
	// SetDefaults.
	Check(s Section)
	// SetDefaults sets what valid settings leave out.
	SetDefaults()
	// Traits are what a spec must know of the form.
	Traits() FormTraits
}

// FormTraits are what a spec must know of a form of check.
type FormTraits struct {
	// Shared are the fields of Check that mean something in the form, such as "tolerate";
	// name, advisory and exercise always do.
	Shared []string
	// Tolerate is how many breaches in a row are forgiven unless the file says.
	Tolerate int
	// Source says that the form reads the source of health.
	Source bool
}

// MaxAsk bounds how long a check may wait for one answer: a look takes 45 s at most.
const MaxAsk = Duration(30 * time.Second)

// forms are the forms that have a key of their own.
func (k Kinds) forms() []Kind[FormSettings] {
	return append([]Kind[FormSettings]{
		{"probe", func() FormSettings { return new(Probe) }},
		{"alerts", func() FormSettings { return new(Alerts) }},
		{"webhook", func() FormSettings { return new(WebhookJudge) }},
	}, k.Forms...)
}

// FormNames are their keys.
func (k Kinds) FormNames() []string { return names(k.forms()) }

// Form is the form of a check that has a key of its own, and that key; nil for any other
// check, and for one that k does not know.
func (k Kinds) Form(c Check) (string, FormSettings) {
	switch {
	case c.Probe != nil:
		return "probe", c.Probe
	case c.Alerts != nil:
		return "alerts", c.Alerts
	case c.Webhook != nil:
		return "webhook", c.Webhook
	}
	if s, err := decode(k.Forms, c.Form); err == nil {
		return c.Form.Name, s
	}
	return "", nil
}

// External says whether the check has a form with a key of its own, which most often
// asks somebody else than the source of health.
func (c Check) External() bool {
	return c.Probe != nil || c.Alerts != nil || c.Webhook != nil || c.Form.Name != ""
}

// Sourceless says whether nothing has to be read from a source.
func (h Health) Sourceless() bool {
	return h.Traffic == "" && slices.Contains(h.Without, CheckTraffic) &&
		!slices.ContainsFunc(h.Checks, func(c Check) bool { return !c.External() || c.Exercise != nil })
}

// fillForms sets what forms leave out. How much a check tolerates is left out only if the
// file says so: 0 is a choice.
func fillForms(doc *strictyaml.Document, kinds Kinds, h *Health) {
	for i := range h.Checks {
		c := &h.Checks[i]
		name, form := kinds.Form(*c)
		if form == nil {
			continue
		}
		if n := form.Traits().Tolerate; n > 0 && !doc.Has(strictyaml.Index("health.checks", i)+".tolerate") {
			c.Tolerate = min(n, mostTolerated(*h))
		}
		form.SetDefaults()
		if c.Form.Name != "" {
			c.Form = Choose(name, form)
		}
	}
}
