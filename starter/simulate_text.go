package main

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/spec"
	"github.com/sluicehq/sluice/internal/terminal"
)

// workers is how many rehearsals run at once.
func workers() int { return runtime.GOMAXPROCS(0) }

// heading says what is rehearsed.
func (a asked) heading(p paint) []string {
	r := a.rehearsal
	l := r.Model.Usual()
	lines := []string{
		p.bold(terminal.Safe(r.Spec.Unit+" "+r.Spec.Release)) + fmt.Sprintf(" on %s, rehearsed on a model: %s requests/s each, %s bad (%s), seed %d",
			plural(len(r.Fleet.Targets), "target"), humanize.PlainTo(l.Rate, 3), humanize.Percent(l.Errors), a.from, r.Model.Seed),
	}
	if len(a.faults) == 0 {
		lines = append(lines, "faults: none")
	}
	for _, f := range a.faults {
		lines = append(lines, "fault: "+terminal.Safe(f))
	}
	names := simulate.Assumed(r.Spec.Health)
	if r.Spec.Drill != nil {
		names = append(names, "the drill")
	}
	if names != nil {
		lines = append(lines, p.yellow("note")+": not rehearsed, and taken to pass: "+terminal.Safe(strings.Join(names, ", ")))
	}
	return append(lines, "")
}

// text tells how one rehearsal went.
func (s simulated) text(p paint) []string {
	var lines []string
	for _, e := range s.events {
		if e.Kind != "end" {
			lines = append(lines, p.faint(fmt.Sprintf("%9s", elapsed(e.At.Sub(time.Unix(0, 0)))))+"  "+terminal.Safe(e.Text))
		}
	}
	lines = append(lines, "", p.phase(s.Result)+" after "+s.Took.String()+": "+terminal.Safe(s.Why))
	if !s.Harmed {
		return append(lines, "the release harmed no request")
	}
	rows := [][]string{
		{"detected", orNever(s.Detected, "not"), "from the first harm to the first order to go back"},
		{"undone", orNever(s.Undone, "not"), "from the first harm to its end"},
		{"exposed", humanize.Percent(s.Exposed), "of the fleet ran the release while it did harm, at most"},
		{"bad requests", humanize.Integer(s.Bad), "lost, failed or slow beyond the usual, of " + humanize.Integer(s.Asked)},
	}
	return append(lines, columns(rows)...)
}

// elapsed is a time since the beginning, as a clock shows it.
func elapsed(d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}

func orNever(d *time.Duration, never string) string {
	if d == nil {
		return never
	}
	return spec.Duration(d.Round(time.Second)).String()
}

// distribution is how many rehearsals ended how.
type distribution struct {
	Runs    int            `json:"runs"`
	Results map[string]int `json:"results"`
	// FalseRollbacks is the share of runs that went back although no fault was the release's, and AtMost what that
	// share is at most, with 95 % confidence; only where that is so.
	FalseRollbacks *float64 `json:"falseRollbackRate,omitempty"`
	AtMost         *float64 `json:"falseRollbackRateAtMost,omitempty"`
	// Missed are the runs in which the release did harm, and was not taken back.
	Missed int `json:"missed"`
	// Detected, Undone and Bad are the 50th, the 90th and the 100th percentile over the runs with harm.
	Detected []time.Duration `json:"detected,omitempty"`
	Undone   []time.Duration `json:"undone,omitempty"`
	Bad      []float64       `json:"bad,omitempty"`
	Exposed  []float64       `json:"exposed,omitempty"`
	All      []simulated     `json:"all"`
}

var shownShares = []float64{0.5, 0.9, 1}

func distributionOf(all []simulated, innocent bool) distribution {
	d := distribution{Runs: len(all), Results: map[string]int{}, All: all}
	var detected, undone []time.Duration
	var bad, exposed []float64
	back := 0
	for _, s := range all {
		d.Results[s.Result]++
		if s.Result == string(rollout.PhaseRolledBack) {
			back++
		}
		if !s.Harmed {
			continue
		}
		bad, exposed = append(bad, s.Bad), append(exposed, s.Exposed)
		if s.Detected == nil {
			d.Missed++
		} else {
			detected = append(detected, *s.Detected)
		}
		if s.Undone != nil {
			undone = append(undone, *s.Undone)
		}
	}
	d.Detected, d.Undone, d.Bad, d.Exposed = quantiles(detected), quantiles(undone), quantiles(bad), quantiles(exposed)
	if innocent {
		rate, most := float64(back)/float64(len(all)), upper(back, len(all))
		d.FalseRollbacks, d.AtMost = &rate, &most
	}
	return d
}

func quantiles[T ~int64 | ~float64](values []T) (out []T) {
	for _, share := range shownShares {
		if len(values) > 0 {
			out = append(out, simulate.Quantile(values, share))
		}
	}
	return out
}

// upper is what a share is at most of which n of all were seen, with 95 % confidence: the upper end of Wilson's
// interval, one-sided (E. B. Wilson, 1927, JASA 22), and of none seen 1 - 0.05^(1/all).
func upper(n, all int) float64 {
	if n == 0 {
		return 1 - math.Pow(0.05, 1/float64(all))
	}
	const z = 1.645
	size, p := float64(all), float64(n)/float64(all)
	middle := p + z*z/(2*size)
	return min(1, (middle+z*math.Sqrt(p*(1-p)/size+z*z/(4*size*size)))/(1+z*z/size))
}

func (d distribution) text(p paint) []string {
	lines := []string{fmt.Sprintf("%d rehearsals", d.Runs)}
	var rows [][]string
	for _, result := range slices.Sorted(maps.Keys(d.Results)) {
		rows = append(rows, []string{"  " + p.phase(result), fmt.Sprint(d.Results[result]), share(d.Results[result], d.Runs)})
	}
	lines = append(lines, columns(rows)...)
	if d.FalseRollbacks != nil {
		lines = append(lines, "", fmt.Sprintf("false rollbacks: %s of rollouts, at most %s with 95%% confidence", humanize.Percent(*d.FalseRollbacks), humanize.Percent(*d.AtMost)))
	}
	if len(d.Bad) == 0 {
		return append(lines, "the release harmed no request")
	}
	rows = [][]string{p.headings("WITH HARM", "HALF OF THEM", "90%", "AT MOST")}
	row := func(name string, of int, word func(i int) string) {
		cells := []string{name}
		for i := range of {
			cells = append(cells, word(i))
		}
		rows = append(rows, cells)
	}
	row("detected within", len(d.Detected), func(i int) string { return orNever(&d.Detected[i], "") })
	row("undone within", len(d.Undone), func(i int) string { return orNever(&d.Undone[i], "") })
	row("exposed share of the fleet", len(d.Exposed), func(i int) string { return humanize.Percent(d.Exposed[i]) })
	row("bad requests", len(d.Bad), func(i int) string { return humanize.Integer(d.Bad[i]) })
	lines = append(append(lines, ""), columns(rows)...)
	if d.Missed > 0 {
		lines = append(lines, p.yellow("note")+": harm that was not taken back: "+plural(d.Missed, "run"))
	}
	return lines
}
