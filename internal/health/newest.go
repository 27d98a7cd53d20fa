package health

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/spec"
)

// newestParts is in how many parts the newest part of a window is looked at to learn when harm
// ended.
const newestParts = 4

// newestPart is how much of the window must be without harm before anything is changed: a source
// reads every target several times in it.
func newestPart(h spec.Health) time.Duration { return max(2*h.StaleAfter.Std(), 4*h.Every.Std()) }

// Newest judges what has failed before anything was changed by the newest part of the window alone:
// harm that has ended is no reason to wait until the window has forgotten it. A check that passes
// there passes, and the report's Over is when its harm had ended by; else its sentence says from
// when a start can be allowed. Nothing is known of the newest part where the source has no past,
// nor of checks that ask others than the source. It answers a copy of the report.
func (m *Evaluator) Newest(ctx context.Context, r Report) Report {
	out := r
	out.Results = slices.Clone(r.Results)
	ctx, cancel := context.WithTimeout(ctx, source.LookLimit(m.stage.spec))
	defer cancel()
	part, window := newestPart(m.stage.spec), m.stage.spec.Window.Std()
	if _, past := m.stage.source.(source.History); !past || part >= window || !m.stage.unchanged() {
		return out
	}
	for i, res := range out.Results {
		if i >= len(m.checks) || res.Verdict != Fail || m.checks[i].spec.Form.Name != "" || m.checks[i].form.Open == nil {
			continue
		}
		now := m.lately(ctx, m.checks[i], r.At, part)
		if now.Verdict == Pass {
			now.Check, now.Advisory = res.Check, res.Advisory
			now.Sentence += fmt.Sprintf(" in the last %s; until then, in the last %s: %s", spec.Duration(part), spec.Duration(window), res.Sentence)
			out.Results[i], out.Over = now, source.Later(out.Over, r.At.Add(-part))
			continue
		}
		out.Results[i].Sentence += "; " + m.startable(ctx, m.checks[i], r.At, part, now)
	}
	return out
}

// lately is a check's result by so much of the window alone.
func (m *Evaluator) lately(ctx context.Context, c openCheck, at time.Time, part time.Duration) Result {
	w := source.Window{From: at.Add(-part), At: at}
	fresh, err := c.form.Open(m.stage, c.spec) // what it has seen so far is not of this part alone
	if err != nil {
		return Result{}.without(source.NoData("", "%s", err)).Result
	}
	if k, ok := fresh.(keeper); ok {
		for _, other := range k.sources() {
			other.Refresh(ctx, at, w.From)
		}
	}
	return fresh.Judge(ctx, Look{Window: w}).Result
}

// startable says from when a check may no longer refuse a start: once the newest part of the window
// is without harm or, where that has too little to judge by, the window as a whole.
func (m *Evaluator) startable(ctx context.Context, c openCheck, at time.Time, part time.Duration, now Result) string {
	need, ended := part, at
	if now.Verdict != Fail { // it has ended before, and there is too little since to tell that all is well
		need, ended = m.stage.spec.Window.Std(), at.Add(-part)
	}
	for i := 1; i < newestParts && now.Verdict == Fail; i++ {
		long := time.Duration(i) * part / newestParts
		if m.lately(ctx, c, at, long).Verdict == Fail {
			break
		}
		ended = at.Add(-long)
	}
	return fmt.Sprintf("can start at %s at the earliest: %s without harm suffice",
		ended.Add(need).UTC().Format("15:04:05 MST"), spec.Duration(need))
}
