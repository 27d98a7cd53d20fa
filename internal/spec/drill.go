package spec

import (
	"cmp"
	"time"

	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/tmpl"
)

// Drill is a program that makes a stage's targets run what is new, before the stage bakes: a
// release that sleeps until a request or a date wakes it shows nothing otherwise.
type Drill struct {
	// Command is run on the worker, once per target of the stage, with placeholders as in the exec
	// driver's apply. Any exit status but 0 fails the stage.
	Command []string `yaml:"command" json:"command"`
	// On says for which stages: DrillFirst (default) or DrillEvery.
	On string `yaml:"on,omitempty" json:"on" jsonschema:"enum=first,enum=every,default=first"`
	// Timeout bounds one run. Default 30s.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout"`
}

// Values of Drill.On.
const (
	DrillFirst = "first"
	DrillEvery = "every"
)

// For says that the targets of the stage of an index are drilled. A nil drill drills nobody.
func (d *Drill) For(stage int) bool { return d != nil && (stage == 0 || d.On == DrillEvery) }

// Values of Spec.OnRegression.
const (
	OnRegressionTrigger = "trigger"
	OnRegressionBoth    = "both"
)

// activates checks which units a release may wake.
func (v *validator) activates() {
	for i, unit := range v.spec.Activates {
		at := strictyaml.Index("activates", i)
		switch {
		case !unitForm.MatchString(unit):
			v.Bad(at, "%s is not a unit, expected one such as features", strictyaml.Quote(unit))
		case unit == v.spec.Unit:
			v.Bad(at, "is the spec's own unit, expected one that it may wake")
		default:
			v.once("activates", v.spec.Activates, i)
		}
	}
	if v.Has("onRegression") {
		v.OneOf("onRegression", v.spec.OnRegression, OnRegressionTrigger, OnRegressionBoth)
		if !v.Given("activates") {
			v.Bad("onRegression", "goes with activates: it says whether the units named there go back, too")
		}
	}
}

func (v *validator) drill() {
	d := v.spec.Drill
	if d == nil || v.IsBad("drill") {
		return
	}
	s := v.In("drill")
	if s.Needs("command") {
		s.Argv("command", d.Command, tmpl.ID, tmpl.Address, tmpl.Unit, tmpl.Label, tmpl.Release, tmpl.Fence)
	}
	if s.Has("on") {
		s.OneOf("on", d.On, DrillFirst, DrillEvery)
	}
	s.Positive("timeout", d.Timeout)
}

func (d *Drill) setDefaults() {
	if d == nil {
		return
	}
	d.On = cmp.Or(d.On, DrillFirst)
	d.Timeout = cmp.Or(d.Timeout, Duration(30*time.Second))
}
