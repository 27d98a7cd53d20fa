package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/lab/table"
)

// What a release adds to the history of its train, beside workflow tasks, in named parts.
const (
	othersPerRelease     = 2 + 2 + 3 // its submission accepted and answered; the train's search attributes; reports: planned, passed, ended
	othersPerTrainStage  = 3 + 2     // reports: it asks, has heard, begins; told that it may: sent, arrived
	othersOfANewTrain    = 1 + 2     // started; version, and its search attribute
	activitiesPerRelease = 1         // its start
)

// A release adds as many events to its train as those before it.
func TestTrainEvents(t *testing.T) {
	r := newTestRig(t)
	require.NoError(t, r.work(newInMemory(r)))
	more := othersOfANewTrain
	for _, span := range [][2]int{{1, 2}, {3, 6}} {
		c, err := r.trainEvents(t.Context(), span[0], span[1])
		require.NoError(t, err)
		n := span[1] - span[0] + 1
		require.Equal(t, perActivity*activitiesPerRelease*n, c.activities, "%v", span)
		require.Equal(t, more+(othersPerRelease+othersPerTrainStage*trainStages)*n, c.others, "%v", span)
		more = 0
	}
}

// Trains and rollouts alone begin, and bake, beside each other.
func TestTrains(t *testing.T) {
	o, r, out := testOptions(t), newTestRig(t), &table.Table{Head: make([]string, 4)}
	o.repeat, o.ramp, o.window, o.progress, o.until = 1, []int{2}, lookEvery, t.Output(), time.Now().Add(3*time.Minute)
	require.NoError(t, r.work(newInMemory(r)))
	require.NoError(t, r.measureStarts(t.Context(), o, out))
	require.NoError(t, measureTrainCrowd(t.Context(), o, out))
	var text strings.Builder
	out.Text(&text)
	for _, want := range []string{"the first apply", "2 rollouts: worker, cores"} {
		require.Contains(t, text.String(), want)
	}
	for _, not := range []string{"NaN", "were baking when"} {
		require.NotContains(t, text.String(), not)
	}
}
