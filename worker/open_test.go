package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
)

func TestOpenRollouts(t *testing.T) {
	now, down, asked := time.Unix(1000, 0), false, make(chan string, 100)
	o := &openRollouts{
		deployment: "payments", now: func() time.Time { return now },
		count: func(_ context.Context, in *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
			asked <- in.GetQuery()
			switch {
			case down:
				return nil, errors.New("away")
			case strings.HasSuffix(in.GetQuery(), "SluicePhase = 'locked'"):
				return &workflowservice.CountWorkflowExecutionsResponse{Count: 2}, nil
			}
			return &workflowservice.CountWorkflowExecutionsResponse{}, nil
		},
	}
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(o)
	counts := func() map[string]float64 {
		families, err := r.Gather()
		require.NoError(t, err)
		out := map[string]float64{}
		for _, f := range families {
			require.Equal(t, "sluice_open_rollouts", f.GetName())
			for _, m := range f.GetMetric() {
				out[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
		return out
	}
	want := map[string]float64{
		"running": 0, "waiting-for-approval": 0, "waiting-for-turn": 0, "holding": 0, "guarding": 0,
		"rolling-back": 0, "locked": 2,
	}
	require.Equal(t, want, counts())
	require.Equal(t, want, counts())
	require.Len(t, asked, len(want), "two readers within seconds ask once")
	require.Contains(t, <-asked, "TaskQueue = 'sluice:payments' AND ExecutionStatus = 'Running'")
	now, down = now.Add(time.Minute), true
	require.Empty(t, counts(), "no number is better than an old one")
}
