package workflows

import (
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/internal/health"
)

// maxEvidence is how many bytes of queries and of what is drawn a state carries: a
// payload is limited to 2 MB, and an outcome's list of targets comes first.
const maxEvidence = 512 << 10

// pointSize is how many bytes a point of a drawing takes in JSON, at most: four numbers
// and their names.
const pointSize = 200

// fit drops the resolved queries of a state and what is drawn, in place, if it would be
// too large for a payload.
func fit(s State) State {
	size := 0
	eachReport(&s, func(r *health.Report) {
		for _, res := range r.Results {
			for _, q := range res.Queries {
				size += len(q)
			}
			size += pointSize * len(res.Trace)
		}
	})
	if size > maxEvidence {
		eachReport(&s, func(r *health.Report) { *r = withoutQueries(*r) })
	}
	if s.Outcome != nil {
		s.Outcome.NotReverted = shortened(s.Outcome.NotReverted)
	}
	return s
}

// maxNames is how many bytes the list of targets that were not reverted may take,
// and reasonsAtMost how many of them carry their reason.
const (
	maxNames      = 1 << 20
	reasonsAtMost = 1000
)

// shortened drops reasons, and in the end names, from a list that is too long. The
// results of the Revert activities, which the last entry points to, have them all.
func shortened(list []TargetTrouble) []TargetTrouble {
	size := 0
	for i := range list {
		if i >= reasonsAtMost {
			list[i].Reason = ""
		}
		const around = 12 // what JSON adds to a name
		if size += len(list[i].ID) + len(list[i].Reason) + around; size > maxNames {
			more := fmt.Sprintf("and %d more targets: the results of the Revert activities in this workflow's history name them", len(list)-i)
			return append(list[:i:i], TargetTrouble{ID: "…", Reason: more})
		}
	}
	return list
}

func eachReport(s *State, f func(*health.Report)) {
	for i := range s.Stages {
		for n := range s.Stages[i].Gates {
			f(&s.Stages[i].Gates[n].Report)
		}
	}
	if s.Outcome != nil && s.Outcome.Recovery != nil {
		f(s.Outcome.Recovery)
	}
}

func withoutQueries(r health.Report) health.Report {
	r.Results = slices.Clone(r.Results)
	for i := range r.Results {
		r.Results[i].Queries, r.Results[i].Trace = nil, nil
	}
	return r
}
