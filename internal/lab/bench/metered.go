package main

import (
	"context"
	"sync"

	"github.com/sluicehq/sluice/activities"
)

// metered are the real activities, with the processor time that all processes use from the first
// activity of a type to the end of the last.
type metered struct {
	*activities.Activities
	used func() float64

	mu          sync.Mutex
	first, last map[string]float64
}

func newMetered(a *activities.Activities, used func() float64) *metered {
	m := &metered{Activities: a, used: used}
	m.reset()
	return m
}

// reset forgets what ran before.
func (m *metered) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.first, m.last = map[string]float64{}, map[string]float64{}
}

// spent is what was used while activities of the types ran.
func (m *metered) spent(types ...string) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := 0.0
	for _, t := range types {
		sum += m.last[t] - m.first[t]
	}
	return sum
}

func (m *metered) note(activity string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last[activity] = m.used()
	if _, known := m.first[activity]; !known {
		m.first[activity] = m.last[activity]
	}
}

// Observe is noted.
func (m *metered) Observe(ctx context.Context, in activities.ObserveInput) (activities.Observed, error) {
	m.note(activities.TypeObserve)
	defer m.note(activities.TypeObserve)
	return m.Activities.Observe(ctx, in)
}

// Prepare is noted.
func (m *metered) Prepare(ctx context.Context, in activities.PrepareInput) (activities.Prepared, error) {
	m.note(activities.TypePrepare)
	defer m.note(activities.TypePrepare)
	return m.Activities.Prepare(ctx, in)
}

// Apply is noted.
func (m *metered) Apply(ctx context.Context, in activities.ApplyInput) (activities.Applied, error) {
	m.note(activities.TypeApply)
	defer m.note(activities.TypeApply)
	return m.Activities.Apply(ctx, in)
}
