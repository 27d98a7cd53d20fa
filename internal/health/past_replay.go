package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/health/source"
	"github.com/sluicehq/sluice/internal/judge"
	"github.com/sluicehq/sluice/internal/spec"
)

// Replay is what a check of a stage, or a group of it, would have said in a span of the past in
// which nothing was changed.
type Replay struct {
	Check, Group string
	// Criteria are what a rollout judges it by.
	Criteria judge.Criteria
	// Span is how long a time was read; 0 where nothing was.
	Span time.Duration
	// Looks are those of a check that compares counts, in order of time, At since the beginning of
	// the span. Those of strata have the same At.
	Looks []judge.ArmCounts
	// Judge is what a check that compares other things would have said, had something been changed
	// so long after the beginning. Every moment needs its past (see PastSpan) and its bake in the
	// span. It is safe for concurrent use; nil for a check that has Looks.
	Judge func(at time.Duration) judge.Outcome
	// Missing says why nothing was read; empty where something was.
	Missing string
}

// maxReplay is how many looks are asked for at once: a Prometheus answers no more than 11,000
// points.
const maxReplay = 5000

// errNoPast is for sources that only know the present.
var errNoPast = errors.New("the spec's source has no past, expected health.prometheus: metrics pages only tell what is now")

// Replays reads the past of those checks that add up what they see and are of a kind, a look every
// Health.Every. Its error is ctx's, or that the spec's source has no past, or that its checks do
// not go with the fleet; what cannot be read is said in the answer.
func Replays(ctx context.Context, h spec.Health, b Binding, d Deps, of func(spec.Check) bool, from, to time.Time) ([]Replay, error) {
	m, err := openPast(h, b, d, to)
	if err != nil {
		return nil, err
	}
	var out []Replay
	for _, c := range m.checks {
		if k, ok := c.Check.(keeper); ok && of(c.spec) {
			out = append(out, k.replay(ctx, from, to)...)
		}
	}
	return out, ctx.Err()
}

// openPast readies a stage's checks to be asked about the past up to a moment.
func openPast(h spec.Health, b Binding, d Deps, to time.Time) (*Evaluator, error) {
	h.Without = []string{spec.CheckAlive, spec.CheckTraffic}
	b.Cohort = b.Exposed // in the past nobody ran the release
	b.Since = to         // criteria are those of a stage
	m, err := Open(h, b, d)
	if err != nil {
		return nil, fmt.Errorf("set up health checks: %w", err)
	}
	if _, ok := m.stage.source.(source.History); !ok {
		return nil, errNoPast
	}
	return m, nil
}

// replay reads the looks of every group.
func (m *comparisonCheck) replay(ctx context.Context, from, to time.Time) []Replay {
	var out []Replay
	for _, part := range m.parts {
		r := Replay{Check: m.check.Name, Group: part.group, Criteria: m.criteria(m.check, len(m.parts), part.alone)}
		rows, why := m.rows(ctx, part, from, to)
		r.Looks, r.Missing = looksOf(rows, m.spec.Every.Std()), why
		r.Span = time.Duration(len(rows)) * m.spec.Every.Std()
		out = append(out, r)
	}
	return out
}

// rows reads the rows of a part, in pieces that the source answers. Pieces of which it knows
// nothing, such as from before it was there, are rows without events; that all of them are is the
// reason why there are none.
func (m *comparisonCheck) rows(ctx context.Context, part *comparison, from, to time.Time) ([][]float64, string) {
	c, every := m.check, m.spec.Every.Std()
	var all [][]float64
	known, none := false, ""
	for left := int(to.Sub(from) / every); left > 0; {
		n := min(left, maxReplay)
		rows := make([][]float64, n)
		end := from.Add(time.Duration(len(all)+n) * every)
		for _, st := range part.strata {
			for _, a := range source.Arms(part.alone) {
				r := addPast(ctx, c, st.source, a, end, every, rows)
				switch {
				case r.Verdict == "":
					known = true
				case r.Empty:
					none = r.Why
					for i := range rows {
						rows[i] = append(rows[i], 0, 0)
					}
				default:
					return nil, r.Why
				}
			}
		}
		all, left = append(all, rows...), left-n
	}
	switch {
	case !known:
		return nil, cmp.Or(m.misspelt(ctx, to, c, c.Total), none)
	case c.Slow == nil && !slices.ContainsFunc(all, anyBad):
		if why := source.HistoryOf(m.source).Misspelt(ctx, c.Bad, to); why != "" {
			return nil, why
		}
	}
	return all, ""
}

// anyBad says that a row has bad events of some arm.
func anyBad(row []float64) bool {
	for i := 0; i < len(row); i += 2 {
		if row[i] > 0 {
			return true
		}
	}
	return false
}

// looksOf are rows as a judge takes them, the first ending one step after the beginning. A row in
// which an arm had no events at all was not seen.
func looksOf(rows [][]float64, step time.Duration) []judge.ArmCounts {
	looks := Past{Step: spec.Duration(step), Looks: rows}.looks()
	for i := range looks {
		looks[i].At += time.Duration(len(rows)) * step
		if looks[i].Exposed.Total == 0 && (looks[i].Control == nil || looks[i].Control.Total == 0) {
			looks[i].Exposed, looks[i].Control = nil, nil
		}
	}
	return slices.Clip(looks)
}
