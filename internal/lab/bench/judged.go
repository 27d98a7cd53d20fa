package main

import (
	"time"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/health"
)

// passed is a report in which every check passes.
func passed(at time.Time) activities.Judged {
	return activities.Judged{Report: health.Report{At: at, Results: []health.Result{
		{Check: "bench", Verdict: health.Pass, Sentence: "nothing was asked"},
	}}}
}
