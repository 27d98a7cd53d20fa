package judge

import (
	"fmt"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/sequential"
)

// lost is how many times the control's requests must have grown, compared with the
// exposed targets' and with before, for those to have lost their share: half of it.
// Load balancing moves shares by less, and a cohort that is gone loses all of it.
const lost = 2

// patience is how many looks at least must show that the share is lost: a counter
// that begins anew spoils one.
const patience = 2

// traffic judges whether the exposed arm keeps its share of the requests: a test on
// both arms' totals, against the share before the change. Its zero value cannot
// judge.
type traffic struct {
	test   *sequential.Grid
	before sequential.Pair   // totals, as Bad; Total is 1
	newest []sequential.Pair // the last few looks
	// bursts is by how much requests bunch, more than chance explains.
	bursts float64
	limit  float64
}

// newTraffic readies the test with the looks before the change.
func newTraffic(c Criteria, before []Look) traffic {
	t := traffic{bursts: 1, limit: nats(c.Traffic)}
	if c.Traffic <= 0 {
		return t
	}
	var totals []sequential.Pair
	for _, p := range pairs(before) {
		p = swapped(p)
		totals = append(totals, p)
		t.before = t.before.Plus(p)
	}
	if t.before.Exposed.Bad == 0 || t.before.Control.Bad == 0 {
		return t
	}
	if d := sequential.Split(totals); d.Error > 0 {
		t.bursts = max(1, d.Factor+2*d.Error)
	}
	t.test = sequential.NewGrid(lost, sequential.Ratios(), sequential.Equal(len(sequential.Ratios())), c.start())
	t.test.Limit(t.limit / patience)
	return t
}

// swapped is a look's totals as events, the control's being those that grow when the
// exposed targets lose theirs.
func swapped(p sequential.Pair) sequential.Pair {
	return sequential.Pair{
		Exposed: sequential.Counts{Bad: p.Control.Total, Total: 1},
		Control: sequential.Counts{Bad: p.Exposed.Total, Total: 1},
	}
}

// see takes the next look.
func (t *traffic) see(p sequential.Pair) {
	p = swapped(p)
	if t.newest = append(t.newest, p); len(t.newest) > patience {
		t.newest = t.newest[1:]
	}
	if t.test == nil {
		return
	}
	p.Exposed = sequential.Counts{Bad: p.Exposed.Bad / t.bursts, Total: t.before.Exposed.Bad}
	p.Control = sequential.Counts{Bad: p.Control.Bad / t.bursts, Total: t.before.Control.Bad}
	t.test.See(p)
}

// harm says that the share is lost.
func (t *traffic) harm() bool { return t.test != nil && t.test.Evidence() >= t.limit }

// words say what the share was and what it is in the newest looks: over all of them a
// late loss would not show.
func (t *traffic) words() string {
	var now sequential.Pair
	for _, p := range t.newest {
		now = now.Plus(p)
	}
	return fmt.Sprintf("%s of all requests, %s before the change; less than half is left",
		humanize.Percent(part(now)), humanize.Percent(part(t.before)))
}

// part is the exposed arm's part of the requests.
func part(p sequential.Pair) float64 {
	if all := p.Exposed.Bad + p.Control.Bad; all > 0 {
		return p.Control.Bad / all
	}
	return 0
}
