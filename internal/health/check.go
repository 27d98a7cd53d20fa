package health

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// Look is what a check is judged at.
type Look struct {
	source.Window
	// Ask are the exposed targets that are asked themselves, where a check does so.
	Ask []fleet.Target
	// Streak is how many looks in a row have breached already.
	Streak int
	// Lasted is how long ago the first of them was; zero where there is none.
	Lasted time.Duration
	// Before are all looks of the stage before this one, in a row or not.
	Before LookCount
}

// Check is a check of a spec, open on a stage.
type Check interface {
	// Judge reads what the check asks about, and judges it.
	Judge(ctx context.Context, at Look) Judged
}

// stageCheck is a check of a spec and the stage that it is about: all that most forms need.
type stageCheck struct {
	*Stage
	check spec.Check
}

// measurer is a check that must know what was there before the stage.
type measurer interface {
	// measure adds it to the baseline.
	measure(ctx context.Context, w source.Window, b *Baseline)
}

// keeper is a check that adds up what it saw, look by look.
type keeper interface {
	Check
	measurer
	// state is what it saw so far, and restore goes on from it: its error is that the state is one
	// of another check.
	state() (json.RawMessage, error)
	restore(json.RawMessage) error
	// replay is what it would have seen in a span of the past.
	replay(ctx context.Context, from, to time.Time) []Replay
	// sources are those that it reads beside the stage's own.
	sources() []source.Source
}

// Form is one form of check. A new one is a file, and a line in package catalog.
type Form struct {
	// Name is its key in a check of a spec, or what it asks for.
	Name string
	// New makes the settings that stand under that key, without any value; nil for a form whose
	// settings are fields of spec.Check.
	New func() spec.FormSettings
	// Is says that a check is of the form; nil for one that New has the settings of.
	Is func(spec.Check) bool
	// Open readies a check. Its error says what of the check or the fleet makes judging impossible.
	Open func(s *Stage, c spec.Check) (Check, error)
	// Slow says that it asks every target, which takes as long as there are many.
	Slow bool
}

// Forms are the forms of a build. The first that a check is of judges it.
type Forms []Form

// of is a check's form: one that knows nothing, where none of f is it. A check with settings under
// a key is of the form of that name and no other, whatever fields stand beside.
func (f Forms) of(c spec.Check) Form {
	for _, form := range f {
		keyed := c.Form.Name != ""
		if keyed && form.New != nil && c.Form.Name == form.Name || !keyed && form.Is != nil && form.Is(c) {
			return form
		}
	}
	return Form{Name: "unknown", Open: func(*Stage, spec.Check) (Check, error) { return unknownCheck{}, nil }}
}

// unknownCheck is a check of a form that this build does not know.
type unknownCheck struct{}

// Judge knows nothing, so nothing passes.
func (unknownCheck) Judge(context.Context, Look) Judged {
	return Result{}.without(source.NoData("", "it asks nothing that is known here"))
}

// openCheck is a check of a spec with its form.
type openCheck struct {
	Check
	spec  spec.Check
	form  Form
	early bool // it answers while the stage warms up, too
}

// judge judges the check, within data's limit and once the source is read. One that is slow asks
// the targets meanwhile, and has limits of its own.
func (o openCheck) judge(ctx, data context.Context, read <-chan struct{}, s *Stage, at Look) Judged {
	asking := data
	if o.form.Slow {
		asking = ctx
	} else {
		<-read
	}
	res := o.Judge(asking, at)
	if o.spec.Exercise != nil {
		<-read
	}
	res = s.exercised(data, o.spec, at, res)
	res = s.overlooked(data, o.spec, at, res)
	res.Check = o.spec.Name
	return res
}
