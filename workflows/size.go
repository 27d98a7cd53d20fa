package workflows

import (
	"slices"

	"github.com/sluicehq/sluice/internal/health"
)

// maxEvidence is how many bytes of queries a state carries: a payload is limited
// to 2 MB, and an outcome's list of targets comes first.
const maxEvidence = 512 << 10

// fit drops the resolved queries of a state, in place, if it would be too large
// for a payload.
func fit(s State) State {
	size := 0
	eachReport(&s, func(r *health.Report) {
		for _, res := range r.Results {
			for _, q := range res.Queries {
				size += len(q)
			}
		}
	})
	if size > maxEvidence {
		eachReport(&s, func(r *health.Report) { *r = withoutQueries(*r) })
	}
	return s
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
		r.Results[i].Queries = nil
	}
	return r
}
