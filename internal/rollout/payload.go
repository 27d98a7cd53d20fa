package rollout

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/sluicehq/sluice/internal/health"
)

// What a state may take as JSON, in bytes: a payload is limited to 2 MB, and so is the answer of a
// query. Names of targets matter most, then sentences, then drawings and queries.
const (
	maxState = 1792 << 10
	// maxNotBack is for the targets that were not reverted, maxLeftOut for those that were left
	// out, which a promoted rollout names twice.
	maxNotBack = 704 << 10
	maxLeftOut = 480 << 10
	// maxReasons is for all reasons of a list, reasonsAtMost how many entries have one.
	maxReasons    = 192 << 10
	reasonsAtMost = 1000
)

// TrimToPayload is a state as others may see it: with exact counts, and with lists and evidence cut
// to what a payload holds. The state itself is not changed.
func TrimToPayload(s State) State {
	s.LeftOut, s.Received = len(s.Unreached), nil
	s.NotReverted = shortened(s.NotReverted, maxNotBack)
	s.Unreached = shortened(s.Unreached, maxLeftOut)
	if s.Outcome != nil {
		o := *s.Outcome
		o.LeftOut = len(o.Unreached)
		o.Unreached, o.NotReverted = shortened(o.Unreached, maxLeftOut), shortened(o.NotReverted, maxNotBack)
		o.Troubled = shortened(o.Troubled, maxLeftOut)
		s.Outcome = &o
	}
	for _, less := range []func(g *Gate, newest bool){lessAsked, lessNamed, lessOlder, lessWords} {
		if JSONSize(s) <= maxState {
			return s
		}
		s = reduced(s, less)
	}
	return s
}

// shortened drops reasons, and in the end names, from a list that is too long.
func shortened(list []TargetTrouble, most int) []TargetTrouble {
	out, reasons, names := slices.Clone(list), 0, 0
	for i := range out {
		t := &out[i]
		if i < reasonsAtMost {
			reasons += JSONSize(t.Reason)
		}
		if i >= reasonsAtMost || reasons > maxReasons {
			t.Reason = ""
		}
		names += len(t.ID) + len(`{"id":""},`)
		if reasons = min(reasons, maxReasons); names+reasons+reasonsAtMost*len(`,"reason":`) > most {
			return out[:i:i]
		}
	}
	return out
}

// reduced is a state with less in every gate, and in the evidence of a recovery.
func reduced(s State, less func(g *Gate, newest bool)) State {
	s.Stages = slices.Clone(s.Stages)
	for i := range s.Stages {
		gates := slices.Clone(s.Stages[i].Gates)
		for n := range gates {
			less(&gates[n], n == len(gates)-1)
		}
		s.Stages[i].Gates = gates
	}
	if s.Outcome != nil && s.Outcome.Recovery != nil {
		o, g := *s.Outcome, Gate{Report: *s.Outcome.Recovery}
		less(&g, true)
		o.Recovery = &g.Report
		s.Outcome = &o
	}
	return s
}

// lessAsked drops what was asked and is drawn.
func lessAsked(g *Gate, _ bool) { g.Report = WithoutQueries(g.Report) }

// lessNamed drops who was silent, and what the source warned of.
func lessNamed(g *Gate, _ bool) {
	g.Report.Results = slices.Clone(g.Report.Results)
	for i := range g.Report.Results {
		g.Report.Results[i].Silent, g.Report.Results[i].Warnings = nil, nil
	}
}

// lessOlder keeps the results of a stage's newest gate; the others still say why they decided as
// they did.
func lessOlder(g *Gate, newest bool) {
	if !newest {
		g.Report.Results = nil
	}
}

// lessWords cuts why a gate decided as it did.
func lessWords(g *Gate, newest bool) {
	if !newest {
		g.Why = Clip(g.Why, 200)
	}
}

// WithoutQueries drops the resolved queries of a report and what is drawn.
func WithoutQueries(r health.Report) health.Report {
	r.Results = slices.Clone(r.Results)
	for i := range r.Results {
		r.Results[i].Queries, r.Results[i].Trace = nil, nil
	}
	return r
}

// JSONSize is how many bytes a value has as JSON, which depends on the value alone.
//
//workflowcheck:ignore
func JSONSize(v any) int {
	data, err := json.Marshal(v)
	if err != nil {
		return math.MaxInt32 // more than any payload
	}
	return len(data)
}
