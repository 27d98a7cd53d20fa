package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/terminal"
	"github.com/sluicehq/sluice/internal/train"
)

// placed is the place that a release would have in its unit's train now.
type placed struct {
	// Ahead are the rollouts under way, such as "edge:2 2.4.9 in stage 1".
	Ahead []string `json:"ahead"`
	// Refused says why it would be refused, and Waits what its first stage would wait for; empty if
	// nothing.
	Refused string `json:"refused,omitempty"`
	Waits   string `json:"waits,omitempty"`
	// EndsHold is the hold that its submission ends.
	EndsHold string `json:"endsHold,omitempty"`
	// Supersedes are the rollouts that end when it enters its first stage, as far as that is known
	// now.
	Supersedes []train.Number `json:"supersedes,omitempty"`
}

// place works out by the train's own rules what would become of a release with a cut; cuts are
// those of the rollouts under way, as far as they are known.
func place(l train.Ledger, unit string, s train.Submission, mine train.Cut, cuts map[train.Number]train.Cut) placed {
	out := placed{Ahead: []string{}}
	for _, o := range l.Open {
		out.Ahead = append(out.Ahead, fmt.Sprintf("%s:%d %s %s", unit, o.Number, bundle.Short(o.Release), o.Word()))
	}
	hold := l.Hold
	l, n, _, err := l.Submit(s)
	if err != nil {
		out.Refused = err.Error()
		return out
	}
	if hold != nil && l.Hold == nil {
		out.EndsHold = hold.Why
	}
	wants := train.RolloutReport{Number: n, Seq: 1, Plan: "planned", Stages: len(mine.To)}
	l, _ = l.Hear(wants)
	for number, cut := range cuts {
		l, _ = l.Compared(n, number, train.Comparison{Needs: train.Needs(mine, cut), Covers: train.Covers(mine, cut)})
	}
	wants.Seq, wants.Wants = 2, true
	l, _ = l.Hear(wants)
	if l.Find(n).Reserved == 0 {
		out.Waits = l.Waits(n)
	}
	for _, o := range l.Open { // those in a stage pass it, and the newest of those that wait goes on
		if o.Number < n && o.State == train.Going && o.Granted > o.Passed {
			l, _ = l.Hear(train.RolloutReport{Number: o.Number, Seq: o.Seq + 1, Plan: o.Plan, Stages: o.Stages, Passed: o.Granted, Heard: o.Heard})
		}
	}
	for _, o := range l.Open {
		if o.SupersededBy == n {
			out.Supersedes = append(out.Supersedes, o.Number)
		}
	}
	return out
}

// place asks the unit's train what would become of a spec there; nil where nobody answers.
func (l *loaded) place(ctx context.Context, con *console, c *cli.Context) *placed {
	if l.spec.Train == nil {
		return nil
	}
	r, err := dial(ctx, con, c)
	if err != nil {
		con.say("its place in the train is not known: %s", err)
		return nil
	}
	defer r.client.Close()
	ctx, cancel := context.WithTimeout(ctx, 3*callTimeout)
	defer cancel()
	ledger, err := r.train(ctx, l.spec.Unit)
	if err != nil && !errors.Is(err, errNoRollout) {
		con.say("its place in the train is not known: %s", err)
		return nil
	}
	cuts := map[train.Number]train.Cut{}
	for _, o := range ledger.Open {
		if cut, err := l.cutOf(ctx, r, o.Number); err == nil { // else it is said that the plans are compared
			cuts[o.Number] = cut
		}
	}
	p := place(ledger, l.spec.Unit, train.Submission{Release: l.spec.Release, Every: l.spec.Train.Every}, activities.CutOf(l.plan), cuts)
	return &p
}

// cutOf is how a rollout under way cuts its fleet, from what it was started with.
func (l *loaded) cutOf(ctx context.Context, r *remote, n train.Number) (train.Cut, error) {
	in, err := activities.Submitted(ctx, r.client, r.deployment.RolloutID(l.spec.Unit, int64(n)), "")
	if err != nil {
		return train.Cut{}, err
	}
	f, err := fleet.Decode(in.FleetData)
	if err != nil {
		return train.Cut{}, err
	}
	p, err := plan.New(in.Spec, f, l.kinds)
	return activities.CutOf(p), err
}

// lines word a place in the train.
func (p *placed) lines(unit string) []string {
	if p == nil {
		return nil
	}
	var out []string
	for _, a := range p.Ahead {
		out = append(out, "under way: "+terminal.Safe(a))
	}
	if p.EndsHold != "" {
		out = append(out, "would end the hold: "+terminal.Safe(p.EndsHold))
	}
	switch {
	case p.Refused != "":
		return append(out, "would be REFUSED: "+terminal.Safe(p.Refused), `  to let it in all the same: sluice start … --override --why "…"`)
	case p.Waits != "":
		out = append(out, "would wait for its first stage: "+terminal.Safe(p.Waits))
	default:
		out = append(out, "would enter its first stage at once")
	}
	if len(p.Supersedes) > 0 {
		names := strings.Trim(strings.ReplaceAll(fmt.Sprint(p.Supersedes), " ", ", "), "[]")
		out = append(out, "would supersede, when it enters: rollout "+names)
	}
	return append(out, "see them: sluice train "+unit)
}
