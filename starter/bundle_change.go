package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/diff"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/store"
)

// before is what the fleet runs before a start, as far as it is known.
type before struct {
	// release is empty where it is not known, and where the unit had no rollout that has left one.
	release string
	// unknown says why it is not known.
	unknown string
}

// first says that there was nothing before.
func (b before) first() bool { return b.release == "" && b.unknown == "" }

// before asks Temporal which release the newest rollouts of a unit have left on the fleet: the one
// that was promoted, or the one that most targets were put back on; of a part, what that has of it.
func (r *remote) before(ctx context.Context, unit, part string) before {
	newest, err := r.lookWhole(ctx, unit, "")
	if errors.Is(err, errNoRollout) {
		return before{}
	}
	if err != nil {
		return before{unknown: err.Error()}
	}
	found, err := r.list(ctx, listFilter{unit: unit, limit: 20, unasked: true})
	if err != nil {
		return before{unknown: err.Error()}
	}
	runs := []view{newest} // the list may not have it yet
	for _, l := range found.rows {
		if l.RunID != newest.RunID {
			runs = append(runs, l.view)
		}
	}
	undone := map[string]bool{}
	for i, v := range runs {
		if i > 0 {
			if v, err = r.lookWhole(ctx, unit, v.RunID); err != nil {
				return before{unknown: err.Error()}
			}
		}
		if left, known := leftBy(v, undone, part); known {
			return left
		}
	}
	if found.more {
		return before{unknown: fmt.Sprintf("none of the newest %d rollouts of %s has left a release", len(found.rows), unit)}
	}
	return before{}
}

// leftBy is what a rollout has left on the fleet, if that can be told from it. It adds to undone
// which rollout it undid.
func leftBy(v view, undone map[string]bool, part string) (left before, known bool) {
	o := v.outcome()
	if v.guarding() { // every stage has passed
		return runs(v.Release, part), true
	}
	if o == nil {
		if v.running() || v.endedFromOutside() { // what comes back is what was there before
			return before{}, false
		}
		return before{unknown: fmt.Sprintf("what became of run %s is not known: %s", v.RunID, v.Trouble)}, true
	}
	release, most := "", 0
	for _, b := range o.Back {
		if b.Targets > most {
			release, most = b.Release, b.Targets
		}
	}
	if o.Result == rollout.PhasePromoted && !undone[v.RunID] {
		release = v.Release
	}
	undone[v.undoes()] = true
	if release == "" {
		return before{}, false
	}
	return runs(release, part), true
}

// runs is a release that the fleet runs, or that of a part in it, if it is a bundle.
func runs(release, part string) before {
	if part != "" {
		all, _ := spec.Decompose(release) // of what is no such word, no part is known
		i := slices.IndexFunc(all, func(p spec.PartRelease) bool { return p.Unit == part })
		if i < 0 {
			return before{unknown: fmt.Sprintf("it runs %s, which has no part %s", release, part)}
		}
		if release = all[i].Release; release == "" {
			return before{}
		}
	}
	if !bundle.IsRelease(release) {
		return before{unknown: fmt.Sprintf("it runs %s, which is no bundle", release)}
	}
	return before{release: release}
}

// bundleChange is how a bundle differs from what the fleet runs.
type bundleChange struct {
	// Part is the unit of a part; empty where the spec has none.
	Part  string      `json:"part,omitempty"`
	Old   string      `json:"old"`
	Files []diff.File `json:"files"`
}

// text is a short form of it.
func (c bundleChange) text() []string {
	of := ""
	if c.Part != "" {
		of = "part " + c.Part + ": "
	}
	if len(c.Files) == 0 {
		return []string{of + "no difference to what the fleet runs"}
	}
	return append([]string{of + "against what the fleet runs (" + bundle.Short(c.Old) + "):"}, diff.Text(c.Files, shownChanges)...)
}

// changes compares every bundle of a spec with what the fleet runs.
func (r *remote) changes(ctx context.Context, con *console, l *loaded, storeDir string) (all []bundleChange, excess, err error) {
	for _, one := range l.bundles() {
		c, more, err := one.change(ctx, con, r.before(ctx, l.spec.Unit, one.part()), storeDir)
		if err != nil {
			return nil, nil, err
		}
		if c != nil {
			all = append(all, *c)
		}
		excess = errors.Join(excess, more)
	}
	return all, excess, nil
}

// changesText is a short form of them, one below the other.
func changesText(all []bundleChange) (lines []string) {
	for _, c := range all {
		lines = append(lines, c.text()...)
	}
	return lines
}

// change compares the bundle with what the fleet runs: nil where that is not known, or not there,
// which is said. Excess is by how much more it differs than the spec allows.
func (l *loaded) change(ctx context.Context, con *console, b before, storeDir string) (c *bundleChange, excess error, err error) {
	limited := l.spec.Validate != nil && l.spec.Validate.Change != nil
	if b.first() {
		if limited {
			con.say("validate.change: no rollout of %s has left a release so far as Temporal knows, "+
				"so there is nothing to compare with", l.doc.Spec.Unit)
		}
		return nil, nil, nil
	}
	var old openedBundle
	if b.unknown == "" {
		old, err = openKept(ctx, b.release, storeDir)
		switch {
		case errors.Is(err, store.ErrNotFound):
			b.unknown = fmt.Sprintf("it runs %s, which is not in the store %s", b.release, storeDir)
		case err != nil:
			b.unknown = err.Error()
		}
	}
	if b.unknown != "" {
		if limited {
			return nil, l.problem("validate.change", "cannot be checked, since what the fleet runs is not known: "+b.unknown), nil
		}
		con.say("not compared with what the fleet runs: %s", b.unknown)
		return nil, nil, nil
	}
	defer old.close()
	files, problems, err := l.against(ctx, old)
	if err != nil {
		return nil, nil, err
	}
	return &bundleChange{l.part(), b.release, files}, problems.Err(), nil
}

// refuseExcess is the exit for a bundle that differs by too much.
func (l *loaded) refuseExcess(excess error) error {
	err := invalidInput(l.file, excess)
	if e, ok := errors.AsType[*exitError](err); ok {
		e.err = fmt.Errorf("%w\nif that is meant: sluice start %s --override --why \"…\"", e.err, l.file)
	}
	return err
}

// overridden words what an override has let pass.
func overridden(excess error) string {
	var out []string
	for _, p := range problemsOf("", excess) {
		out = append(out, p.Message)
	}
	return strings.Join(out, "; ")
}
