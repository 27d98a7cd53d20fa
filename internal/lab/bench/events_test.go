package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/lab/stack"
)

// How many events a rollout leaves, in named parts: activities that run once, per stage and per
// batch, and what else there is.
const (
	perActivity = 3 // scheduled, started, completed

	oncePerRollout = 4 // inherit, plan, validate, preflight
	oncePerStage   = 3 // baseline, watch, gate
	oncePerBatch   = 2 // observe, apply

	othersPerRollout = 2 + 1 + 3 // workflow started and completed; search attributes of the outcome; version (2), id of the run
	othersPerStage   = 2 + 1     // bake's timer started and fired; search attributes of the stage
)

// A history's events depend on stages and batches alone: 100,000 targets in five stages stay below
// the goal.
func TestHistoryEvents(t *testing.T) {
	r := newTestRig(t)
	require.NoError(t, r.work(newInMemory(r)))
	for _, tt := range []struct{ targets, stages, batches int }{
		{1, 1, 1},
		{1_000, 5, 5},     // of 200
		{10_000, 5, 20},   // of 500: two would do, four are at work at once
		{100_000, 5, 100}, // of 1000
	} {
		c, err := r.countEvents(t.Context(), tt.targets, tt.stages)
		require.NoError(t, err)
		require.Equal(t, tt.batches, c.batches)
		require.Equal(t, perActivity*(oncePerRollout+oncePerStage*tt.stages+oncePerBatch*tt.batches), c.activities, "%d targets", tt.targets)
		require.Equal(t, othersPerRollout+othersPerStage*tt.stages, c.others, "%d targets", tt.targets)
		require.LessOrEqual(t, c.tasks, tasksAtMost(c, tt.stages), "%d targets", tt.targets)
		t.Logf("%d targets: %d events", tt.targets, c.total())
		// Not by luck: also if no two answers had come at once.
		require.Less(t, c.activities+c.others+tasksAtMost(c, tt.stages), eventGoal, "%d targets", tt.targets)
	}
}

// tasksAtMost is how many events of workflow tasks there can be: the start, each activity's answer
// and each bake's end wake the workflow once, unless two come at once, and a task is scheduled,
// started and completed.
func tasksAtMost(c counts, stages int) int { return 3 * (1 + c.activities/perActivity + stages) }

// testOptions name the programs, where they are built.
func testOptions(t *testing.T) options {
	t.Helper()
	o := options{bin: stack.Binaries{Dir: os.Getenv("SLUICE_BIN"), Devstack: os.Getenv("SLUICE_DEVSTACK")}}
	if o.bin.Dir == "" || o.bin.Devstack == "" {
		if os.Getenv("SLUICE_REQUIRE_E2E") != "" {
			t.Fatal("SLUICE_BIN and SLUICE_DEVSTACK must name the built programs")
		}
		t.Skip("not run: needs the built programs, see `make test`")
	}
	return o
}

// newTestRig is a rig, where the server is built.
func newTestRig(t *testing.T) *rig {
	t.Helper()
	r, err := newRig(t.Context(), testOptions(t))
	t.Cleanup(r.close)
	require.NoError(t, err)
	return r
}
