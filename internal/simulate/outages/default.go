package outages

import (
	_ "embed"
	"maps"
	"slices"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/spec"
)

//go:embed default.yaml
var defaultSpec []byte

// Plan cuts the outage's fleet by the spec of that text, which errors call file. A nil text is the
// default spec, fitted to the fleet.
func (o Outage) Plan(file string, text []byte, k spec.Kinds) (plan.Plan, error) {
	byDefault := text == nil
	if byDefault {
		file, text = "the default spec", defaultSpec
	}
	doc, err := spec.Parse(file, text, k)
	if err != nil {
		return plan.Plan{}, err
	}
	f := o.Targets()
	if byDefault {
		doc.Spec.Stages = fitted(doc.Spec.Stages, f)
	}
	return plan.New(doc.Spec, f, k)
}

// fitted are the stages of the default spec for any fleet: the same shares of it, spread by labels
// that it has. A stage that would add nothing to the one before is left out.
func fitted(stages []spec.Stage, f fleet.Fleet) []spec.Stage {
	labels := map[string]bool{}
	for _, t := range f.Targets {
		for name := range t.Labels {
			labels[name] = true
		}
	}
	names := slices.Sorted(maps.Keys(labels))
	total, exposed := len(f.Targets), 0
	var out []spec.Stage
	for i, s := range stages {
		to := total
		switch {
		case s.Count != nil: // of the standard fleet
			n := max(1, *s.Count*total/standardTargets)
			s.Count, to = &n, exposed+n
			if matching(f, s.Where) < n {
				s.Where = nil
			}
		case s.Reach != nil:
			to = s.Reach.Of(total)
		}
		if s.Spread != "" && !labels[s.Spread] {
			if s.Spread = ""; len(names) > 0 {
				s.Spread = names[i%len(names)]
			}
		}
		if last := i == len(stages)-1; to > exposed && (last || to < total) {
			out, exposed = append(out, s), to
		}
	}
	return out
}

// matching is how many targets have all of the labels.
func matching(f fleet.Fleet, labels map[string]string) (n int) {
	for _, t := range f.Targets {
		if t.Matches(labels) {
			n++
		}
	}
	return n
}
