package activities

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/spec"
)

// maxPayload is what Temporal takes.
const maxPayload = 2 << 20

func requireFits(t *testing.T, what string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	t.Logf("%s: %d bytes", what, len(data))
	require.Less(t, len(data), maxPayload, what)
}

// crowd is a fleet of the largest batch, with ids as long as they may be.
func crowd(n int) []fleet.Target {
	ts := make([]fleet.Target, n)
	for i := range ts {
		ts[i] = fleet.Target{ID: fmt.Sprintf("%0128d", i), Address: "10.0.0.1:80"}
	}
	return ts
}

// The answers about the largest batch fit into a payload, although every target is silent in long
// words that JSON makes longer, and every one is named.
func TestAnswersAboutTheLargestBatchFit(t *testing.T) {
	f := newFixture(t, 1)
	p := withAttempts(f.plan, 1)
	p.Order = crowd(spec.MaxBatch)
	p.Spec.Apply.Attempts = 1
	f.acts.plans[f.all.Plan] = p
	f.words = errors.New("Get \"http://10.12.33.41/<html>\": " + strings.Repeat("<é\" no route to host>", 50))
	for _, one := range p.Order {
		f.down[one.ID] = 1 << 30
	}
	b := Batch{Plan: f.all.Plan, From: 0, To: spec.MaxBatch, Parallel: 500}
	seen := do[Observed](t, f, f.acts.Observe, ObserveInput{Batch: b, Fence: fence})
	requireFits(t, "observed", seen)
	require.Len(t, seen.Trouble, spec.MaxBatch)
	require.Len(t, seen.Previous.Absent, spec.MaxBatch)
	require.Contains(t, seen.Trouble[7].Reason, "Get \"http://10")
	before := Previous{Common: "1.0.0"}
	applied := do[Applied](t, f, f.acts.Apply, ApplyInput{Batch: b, Fence: fence, Previous: before, Tolerate: spec.MaxBatch})
	requireFits(t, "applied", applied)
	require.Len(t, applied.Trouble, spec.MaxBatch)
	reverted := do[Reverted](t, f, f.acts.Revert, RevertInput{Batch: b, Fence: fence, Previous: before})
	requireFits(t, "reverted", reverted)
	require.Len(t, reverted.Trouble, spec.MaxBatch)
	in := RevertInput{Batch: b, Previous: seen.Previous}
	for _, trouble := range reverted.Trouble {
		in.Only = append(in.Only, trouble.ID)
	}
	requireFits(t, "what is tried again", in)
}

// Reasons are cut only where there are too many, at whole characters.
func TestCutTo(t *testing.T) {
	for _, tc := range []struct {
		text string
		most int
		want string
	}{
		{"refused", 7, "refused"},
		{"refused", 6, "ref…"},
		{"<<<<", 24, "<<<<"},
		{"<<<<", 23, "<<<…"},
		{"éééé", 7, "éé…"},
		{"\"\"\"\"", 7, "\"\"…"},
		{"refused", 3, "…"},
		{"refused", 2, ""},
	} {
		got := cutToLength(tc.text, tc.most)
		require.Equal(t, tc.want, got, "%+v", tc)
		data, err := json.Marshal(got)
		require.NoError(t, err)
		require.LessOrEqual(t, len(data)-2, tc.most, "%+v", tc)
		require.GreaterOrEqual(t, jsonLength(got), len(data)-2)
	}
}

// A search among most of a large fleet fits, too, whether its targets answer or not, and tells
// first why one must not be changed.
func TestLateAnswersFit(t *testing.T) {
	const n = 20_000
	f := newFixture(t, 1)
	p := withAttempts(f.plan, 1)
	p.Order = nil
	labels := map[string]string{"noise": strings.Repeat("n", 200)}
	in := StragglersInput{Plan: f.all.Plan, Fence: fence, Parallel: 500}
	for i := range n {
		one := fleet.Target{ID: fmt.Sprintf("t%019d", i), Address: "10.0.0.1:80", Labels: labels}
		p.Order = append(p.Order, one)
		in.Absent = append(in.Absent, one.ID)
		f.state[one.ID] = driver.State{Release: "1.0.0"}
		if i%2 == 0 {
			f.down[one.ID] = 1 << 30
		}
	}
	last := p.Order[n-1].ID
	f.state[last] = driver.State{Release: "1.0.0", Fence: fence + 7}
	f.words = errors.New(strings.Repeat("<no route to host>", 50))
	f.acts.plans[f.all.Plan] = p
	late := do[Stragglers](t, f, f.acts.FindStragglers, in)
	requireFits(t, "late", late)
	require.Greater(t, len(late.Ready), 1000)
	require.Len(t, late.Still, maxStill)
	require.Equal(t, last, late.Still[maxStill-1].ID)
	require.Contains(t, late.Still[maxStill-1].Reason, "another writer")
	data, err := json.Marshal(late.Ready)
	require.NoError(t, err)
	require.Less(t, len(data), maxStragglerBytes+2)
}
