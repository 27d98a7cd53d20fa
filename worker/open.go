package main

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
)

// openRollouts counts a deployment's rollouts that run, by phase, as Temporal's index has them.
// Every worker of a deployment counts the same. It asks when somebody reads the metrics, and not
// again for a while. Where Temporal does not answer there is no number.
type openRollouts struct {
	deployment connect.Deployment
	count      func(context.Context, *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error)
	now        func() time.Time

	mu     sync.Mutex
	at     time.Time // when it was asked
	counts map[rollout.Phase]int64
}

// How old counts may be, and how long all of them are waited for.
const (
	countEvery  = 10 * time.Second
	countWithin = 3 * time.Second
)

var openDesc = prometheus.NewDesc("sluice_open_rollouts",
	"Rollouts that run, by phase, as Temporal's index has them.", []string{"phase"}, nil)

// Describe sends what it counts.
func (o *openRollouts) Describe(out chan<- *prometheus.Desc) { out <- openDesc }

// Collect sends the counts.
func (o *openRollouts) Collect(out chan<- prometheus.Metric) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.counts == nil || o.now().Sub(o.at) >= countEvery {
		o.at, o.counts = o.now(), o.ask()
	}
	for phase, n := range o.counts {
		out <- prometheus.MustNewConstMetric(openDesc, prometheus.GaugeValue, float64(n), string(phase))
	}
}

// ask counts all phases at once.
func (o *openRollouts) ask() map[rollout.Phase]int64 {
	ctx, cancel := context.WithTimeout(context.Background(), countWithin)
	defer cancel()
	var mu sync.Mutex
	var asking sync.WaitGroup
	counts := map[rollout.Phase]int64{}
	for _, p := range rollout.OpenPhases() {
		asking.Go(func() {
			answer, err := o.count(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: o.deployment.Open(string(p))})
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			counts[p] = answer.GetCount()
		})
	}
	asking.Wait()
	return counts
}
