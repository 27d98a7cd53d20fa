package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/strictyaml"
	"github.com/sluicehq/sluice/internal/suggest"
)

// New cuts a fleet into the cohorts of s. The order of the fleet's targets does not matter: they
// are ordered by a hash of the unit and their id, so that every unit has other canaries, and a
// target that joins moves few others.
//
// Every stage that cannot be cut is in the error, as an *Error, and so is every check that does not
// go with the fleet; several are joined. Kinds say how much of the fleet the source reads.
func New(s spec.Spec, f fleet.Fleet, kinds spec.Kinds) (Plan, error) {
	if len(s.Stages) == 0 {
		return Plan{}, errors.New("plan: the spec has no stages, expected at least one")
	}
	order, err := shuffled(s.Unit, f.Targets)
	if err != nil {
		return Plan{}, err
	}
	c := cutter{spec: s, kinds: kinds, fleet: f, left: order, total: len(order), failed: -1}
	if c.places(); len(c.errs) > 0 {
		return Plan{}, errors.Join(c.errs...)
	}
	for i := range s.Stages {
		c.stage(i)
	}
	if len(c.left) > 0 && c.failed != len(s.Stages)-1 {
		c.lastStageFallsShort()
	}
	if len(c.errs) == 0 {
		c.represent()
		c.drill()
	}
	c.checks(f.Targets)
	if len(c.errs) == 0 {
		c.means()
	}
	if len(c.errs) > 0 {
		return Plan{}, errors.Join(c.errs...)
	}
	if err := fewEnough(c.stages, s.Apply.Batch); err != nil {
		return Plan{}, err
	}
	return Plan{Spec: s, Order: c.order, Stages: c.stages}, nil
}

// maxBatches bounds the batches of a rollout: each leaves about ten events in a history that may
// hold 51,200.
const maxBatches = 2000

// fewEnough refuses batches so small that the history could not hold the rollout.
func fewEnough(stages []Stage, batch int) error {
	if batch == 0 {
		return nil
	}
	n, targets := 0, stages[len(stages)-1].To
	for _, s := range stages {
		n += (s.Size() + batch - 1) / batch
	}
	if n <= maxBatches {
		return nil
	}
	return fmt.Errorf("apply.batch: %d targets in batches of %d are %d batches, expected at most %d: set apply.batch to %d or more",
		targets, batch, n, maxBatches, 2*targets/maxBatches)
}

// Longest is how long a stage can take once it is applied: its bake, and then as long as its gate
// may hold for lack of a verdict. Pauses, approvals and a stage that waits for a person when it is
// undecided come on top.
func Longest(s spec.Stage) time.Duration { return s.Bake.Std() + s.DecideWithin.Std() }

// AtRisk is how many targets run the release while stage i is being judged: its own cohort and
// every earlier one. No gate has passed for all of them yet.
func (p Plan) AtRisk(i int) int { return p.Stages[i].To }

// shuffled orders targets by a hash of unit and id.
func shuffled(unit string, targets []fleet.Target) ([]fleet.Target, error) {
	if len(targets) == 0 {
		return nil, errors.New("plan: the fleet has no targets, expected at least one")
	}
	type keyed struct {
		key    uint64
		target fleet.Target
	}
	all := make([]keyed, 0, len(targets))
	for _, t := range targets {
		sum := sha256.Sum256([]byte(unit + "\x00" + t.ID))
		all = append(all, keyed{binary.BigEndian.Uint64(sum[:8]), t})
	}
	slices.SortFunc(all, func(a, b keyed) int {
		return cmp.Or(cmp.Compare(a.key, b.key), strings.Compare(a.target.ID, b.target.ID))
	})
	order := make([]fleet.Target, 0, len(all))
	for i, k := range all {
		if i > 0 && all[i-1].target.ID == k.target.ID {
			return nil, fmt.Errorf("plan: target %q is in the fleet twice", k.target.ID)
		}
		order = append(order, k.target)
	}
	return order, nil
}

// cutter walks the stages. It goes on past a stage that cannot be cut, so that every mistake is
// told at once.
type cutter struct {
	spec   spec.Spec
	kinds  spec.Kinds
	fleet  fleet.Fleet
	total  int
	left   []fleet.Target // not exposed yet, in order of exposure
	order  []fleet.Target // exposed
	stages []Stage
	failed int                 // the last stage that could not be cut
	labels map[string][]string // of the fleet; nil until asked for
	errs   []error
}

// fail refuses a field of stage i.
func (c *cutter) fail(i int, field, format string, args ...any) {
	c.failed = i
	c.refuse(strictyaml.Index("stages", i)+"."+field, format, args...)
}

func (c *cutter) refuse(path, format string, args ...any) {
	c.errs = append(c.errs, &Error{path, fmt.Sprintf(format, args...)})
}

// stage takes the cohort of stage i out of what is left.
func (c *cutter) stage(i int) {
	st := c.spec.Stages[i]
	if c.strange(i) {
		c.stages = append(c.stages, Stage{Name: st.Name, From: len(c.order), To: len(c.order)})
		return
	}
	var candidates []fleet.Target
	for _, t := range c.left {
		if t.Matches(st.Where) {
			candidates = append(candidates, t)
		}
	}
	n := c.size(i, candidates)
	picked := candidates[:n]
	if st.Spread != "" {
		if _, ok := c.labelValues()[st.Spread]; !ok {
			c.fail(i, "spread", "no target has a label %q, expected one of %s", st.Spread, describe(c.labelValues()))
		}
		picked = spread(candidates, st.Spread, n)
	}
	taken := make(map[string]bool, len(picked))
	for _, t := range picked {
		taken[t.ID] = true
	}
	c.left = slices.DeleteFunc(c.left, func(t fleet.Target) bool { return taken[t.ID] })
	c.stages = append(c.stages, Stage{Name: st.Name, From: len(c.order), To: len(c.order) + len(picked)})
	c.order = append(c.order, picked...)
}

// strange refuses labels of stage i, and values of them, that no target of the fleet has.
func (c *cutter) strange(i int) bool {
	if len(c.spec.Stages[i].Where) == 0 {
		return false
	}
	labels := c.labelValues()
	meant := func(word string, known []string) string {
		if best, ok := suggest.Nearest(word, known); ok {
			return fmt.Sprintf(", did you mean %q?", best)
		}
		return ";"
	}
	found := false
	where := c.spec.Stages[i].Where
	for _, label := range slices.Sorted(maps.Keys(where)) {
		values, ok := labels[label]
		switch value := where[label]; {
		case !ok:
			c.fail(i, "where", "no target has a label %q%s %s", label, meant(label, slices.Sorted(maps.Keys(labels))), c.known())
		case !slices.Contains(values, value):
			c.fail(i, "where", "no target has %s: %q%s %s", label, value, meant(value, values), c.known())
		default:
			continue
		}
		found = true
	}
	return found
}

// size is how many of the candidates stage i takes, at most all of them.
func (c *cutter) size(i int, candidates []fleet.Target) int {
	st, exposed := c.spec.Stages[i], len(c.order)
	var want int
	switch {
	case st.Count != nil && st.Reach != nil:
		c.fail(i, "count", "count and reach are both set, expected one of them")
		return 0
	case st.Count != nil:
		if want = *st.Count; want <= 0 {
			c.fail(i, "count", "%d targets, expected at least 1", want)
			return 0
		}
	case st.Reach != nil:
		if want = c.wantedByReach(i); want == 0 {
			return 0
		}
	default:
		if want = len(candidates); want == 0 {
			c.fail(i, "where", "no target%s is left to expose (%d of %d are exposed by earlier stages); %s",
				matching(st.Where), exposed, c.total, c.known())
		}
		return want
	}
	if want > len(candidates) {
		field := "count"
		switch {
		case len(st.Where) > 0:
			field = "where"
		case st.Reach != nil:
			field = "reach"
		}
		c.fail(i, field, "%d more targets are asked for, but only %d%s are left to expose (%d of %d are exposed by earlier stages); %s",
			want, len(candidates), matching(st.Where), exposed, c.total, c.known())
		return len(candidates)
	}
	return want
}

// wantedByReach is how many targets stage i adds; 0 after an error.
func (c *cutter) wantedByReach(i int) int {
	reach, exposed := *c.spec.Stages[i].Reach, len(c.order)
	target := reach.Of(c.total)
	switch {
	case target > c.total:
		c.fail(i, "reach", "reach %s is more than the fleet, which has %d targets", reach, c.total)
	case target <= exposed && i > 0:
		c.fail(i, "reach", "reach %s is %d of %d targets, but %d are exposed once stage %q is applied, expected a reach above %d",
			reach, target, c.total, exposed, c.spec.Stages[i-1].Name, exposed)
	case target <= 0:
		c.fail(i, "reach", "reach %s exposes no target, expected at least 1", reach)
	default:
		return target - exposed
	}
	return 0
}

func (c *cutter) lastStageFallsShort() {
	i := len(c.spec.Stages) - 1
	st := c.spec.Stages[i]
	field := "reach"
	switch {
	case st.Reach != nil:
	case st.Count != nil:
		field = "count"
	case len(st.Where) > 0:
		field = "where"
	}
	c.fail(i, field, "the last stage reaches %d of %d targets, expected the whole fleet: end with reach: 100%%", len(c.order), c.total)
}
