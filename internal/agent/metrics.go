package agent

import (
	"github.com/prometheus/client_golang/prometheus"
)

// collector answers metrics of all units when they are asked for.
type collector struct{ agent *Agent }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("sluice_unit_"+name, help, append([]string{"unit"}, labels...), nil)
}

var (
	infoDesc    = describe("info", "1 for the release that the link leads to, for joins.", "release", "rollout", "stage")
	aliveDesc   = describe("alive", "Whether the unit works: 0 where files were changed, or a way back failed.")
	driftDesc   = describe("drift", "Whether files of the running release, or the link, were changed by somebody else.")
	changedDesc = describe("changed_timestamp_seconds", "When the newest order was applied or refused.")
	lookedDesc  = describe("looked_timestamp_seconds", "When files were last compared with their bundle.")
	appliedDesc = describe("applied_total", "Orders in effect since the start.")
	refusedDesc = describe("refused_total", "Orders that failed after the link was switched, since the start.")
	backDesc    = describe("went_back_total", "Of these, those after which the link went back.")
	staleDesc   = describe("stale_total", "Orders from a relay that were too late, or for another target or by another key, since the start.")
	polledDesc  = describe("polled_timestamp_seconds", "When the relay last answered.")
	healedDesc  = describe("healed_total", "Drifts that were mended since the start.")
)

// Describe sends what there is.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		infoDesc, aliveDesc, driftDesc, changedDesc, lookedDesc, appliedDesc, refusedDesc, backDesc, healedDesc, staleDesc, polledDesc,
	} {
		out <- d
	}
}

// Collect sends what is true now.
func (c collector) Collect(out chan<- prometheus.Metric) {
	for name, u := range c.agent.units {
		status, seen := c.agent.status(u), u.seen()
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{name}, labels...)...)
		}
		total := func(d *prometheus.Desc, v int) {
			out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), name)
		}
		rollout, stage := seen.state.Rollout, seen.state.Stage
		if status.Release != seen.state.Desired {
			rollout, stage = "", "" // it is not by that order
		}
		gauge(infoDesc, 1, status.Release, rollout, stage)
		gauge(aliveDesc, float(status.Alive))
		gauge(driftDesc, float(seen.drift != nil))
		if !seen.state.Since.IsZero() {
			gauge(changedDesc, float64(seen.state.Since.UnixMilli())/1000)
		}
		if !seen.looked.IsZero() {
			gauge(lookedDesc, float64(seen.looked.UnixMilli())/1000)
		}
		total(appliedDesc, seen.counts.applied)
		total(refusedDesc, seen.counts.refused)
		total(backDesc, seen.counts.back)
		total(healedDesc, seen.counts.healed)
		if c.agent.relay == nil {
			continue
		}
		total(staleDesc, seen.counts.stale)
		if !seen.polled.IsZero() {
			gauge(polledDesc, float64(seen.polled.UnixMilli())/1000)
		}
	}
}

func float(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
