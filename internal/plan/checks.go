package plan

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/promql"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/strictyaml"
)

// represent refuses a first stage that lacks a value of a label which the spec wants represented:
// what breaks there only would be found by a later, larger one.
func (c *cutter) represent() {
	all := c.fleet.LabelValues()
	shown := fleet.Fleet{Targets: c.order[:c.stages[0].To]}.LabelValues()
	for i, label := range c.spec.Represent {
		path, values := strictyaml.Index("represent", i), all[label]
		missing := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return slices.Contains(shown[label], v) })
		switch {
		case len(values) == 0:
			c.refuse(path, "no target has a label %q, expected one of %s", label, describe(all))
		case len(missing) > 0:
			c.refuse(path, "stage %q has no target with %s %s: it needs at least %d targets; spread: %s takes them evenly",
				c.stages[0].Name, label, cutList(missing), len(values), label)
		}
	}
}

// checks refuses labels that no target has, since nothing would be told apart by them.
func (c *cutter) checks(targets []fleet.Target) {
	for i, check := range c.spec.Health.Checks {
		for _, by := range []struct{ field, label string }{{"group_by", check.GroupBy}, {"match", check.Match}} {
			has := func(t fleet.Target) bool { return t.Labels[by.label] != "" }
			if by.label != "" && !slices.ContainsFunc(targets, has) {
				c.refuse(strictyaml.Index("health.checks", i)+"."+by.field, "no target has a label %q", by.label)
			}
		}
	}
}

// drill refuses a drill that cannot be run for a target: it would take the target's stage back. Of
// each argument it names the first such target and counts the others.
func (c *cutter) drill() {
	type trouble struct {
		target  string
		err     error
		targets int
	}
	found := map[int]*trouble{} // by argument
	order := driver.Order{Unit: c.spec.Unit, Release: c.spec.Release}
	for i, st := range c.stages {
		if !c.spec.Drill.For(i) {
			continue
		}
		for _, t := range c.order[st.From:st.To] {
			switch n, err := driver.CheckDrill(*c.spec.Drill, t, order); {
			case err == nil:
			case found[n] == nil:
				found[n] = &trouble{t.ID, err, 1}
			default:
				found[n].targets++
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(found)) {
		f, more := found[n], ""
		if f.targets > 1 {
			more = fmt.Sprintf(" (and for %d more)", f.targets-1)
		}
		c.refuse(strictyaml.Index("drill.command", n), "cannot be run for %s%s: %s", f.target, more, f.err)
	}
}

// means refuses checks of means in stages with too few targets for them to be ever decided.
func (c *cutter) means() {
	for i, check := range c.spec.Health.Checks {
		if !check.Means() || check.Advisory {
			continue
		}
		for j, st := range c.stages {
			few := c.tooFew(check, j, st.From, st.To)
			if few == "" {
				continue
			}
			expected := fmt.Sprintf("no stage of %d targets has enough", c.total)
			for to := st.From + 1; to <= min(c.total, st.From+2*judge.MostTargets); to++ {
				if c.tooFew(check, j, st.From, to) == "" {
					expected = fmt.Sprintf("expected it to reach at least %d", to)
					break
				}
			}
			c.refuse(strictyaml.Index("health.checks", i)+".value",
				"stage %s has %s; %s, or let the check be advisory, or falseRollbackRate larger", st.Name, few, expected)
			break
		}
	}
}

// tooFew says how many more targets a stage would have to reach for a check of means; empty if
// none.
func (c *cutter) tooFew(check spec.Check, stage, from, to int) string {
	h := c.spec.Health
	of := judge.MeansCriteria{Drop: -1, Rise: -1}
	if check.Drop != nil {
		of.Drop = float64(*check.Drop)
	}
	if check.Rise != nil {
		of.Rise = float64(*check.Rise)
	}
	of.Alpha, of.Every = h.Budget(check.Name, c.spec.JudgedStages()), h.Every.Std()
	of.Bake = max(h.Every.Std(), c.spec.Stages[stage].Bake.Std()-h.Warmup.Std())
	exposed, control := to, c.total-to
	if of.Before = check.Against != spec.AgainstControl || control == 0; of.Before {
		control = 0
	}
	if of.Before || promql.OnlyCohort(check.Value) {
		exposed = to - from // of the others nobody knows what they showed before
	}
	if source := c.kinds.Source(h); source != nil && source.Traits().Sample > 0 {
		most := source.Traits().Sample
		exposed, control = min(exposed, most), min(control, most)
	}
	return of.Missing(exposed, control)
}
