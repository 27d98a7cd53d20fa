package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/sluicehq/sluice/activities"
)

// retrying is an activity of a rollout that has failed and is tried again, such as a fleet's
// command that ends with an error. The rollout itself does not hear of it.
type retrying struct {
	Activity string `json:"activity"`
	// Failed is how often it has failed so far.
	Failed int `json:"failed"`
	// Error is what the newest failure said.
	Error string `json:"error"`
}

func (r retrying) String() string {
	times := "once"
	if r.Failed > 1 {
		times = fmt.Sprintf("%d times", r.Failed)
	}
	return fmt.Sprintf("the activity %s has failed %s and is tried again: %s", r.Activity, times, r.Error)
}

// retried are the activities that are tried again, of each kind the one that has failed most often,
// in the order of their names. A watch that has found another worker is not in trouble.
func retried(pending []*workflowpb.PendingActivityInfo) []retrying {
	var out []retrying
	for _, a := range pending {
		name := a.GetActivityType().GetName()
		runs := a.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED
		if a.GetAttempt() < 2 || a.GetLastFailure() == nil || runs && name == activities.TypeWatch {
			continue
		}
		r := retrying{Activity: name, Failed: int(a.GetAttempt()) - 1, Error: failureText(a.GetLastFailure())}
		i := slices.IndexFunc(out, func(o retrying) bool { return o.Activity == name })
		switch {
		case i < 0:
			out = append(out, r)
		case out[i].Failed < r.Failed:
			out[i] = r
		}
	}
	slices.SortFunc(out, func(a, b retrying) int { return strings.Compare(a.Activity, b.Activity) })
	return out
}

// failureText is the message of a failure that says something.
func failureText(f *failurepb.Failure) string {
	for ; f != nil; f = f.GetCause() {
		if f.GetMessage() != "" {
			return f.GetMessage()
		}
	}
	return "it did not say why"
}

// retryChanges are the activities that began to fail, or fail for another reason.
func retryChanges(before, after view, now time.Time) []event {
	var out []event
	for _, r := range after.Retrying {
		known := func(o retrying) bool { return o.Activity == r.Activity && o.Error == r.Error }
		if !slices.ContainsFunc(before.Retrying, known) {
			out = append(out, event{At: now, Kind: "trouble", Text: r.String()})
		}
	}
	return out
}
