package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/simulate"
	"github.com/sluicehq/sluice/internal/terminal"
)

// often rehearses many times.
func (a asked) often(ctx context.Context, con *console) error {
	all := make([]simulated, a.runs)
	bar := con.progress()
	defer bar.clear()
	var mu sync.Mutex
	done := 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers())
	for i := range all {
		group.Go(func() (err error) {
			if ctx.Err() != nil {
				return errInterrupted
			}
			if all[i], err = a.run(ctx, con, a.rehearsal.Model.Seed+uint64(i), false); err != nil { //nolint:gosec // positive
				return err
			}
			all[i].Curve = nil
			mu.Lock()
			defer mu.Unlock()
			done++
			bar.say("%d of %s", done, plural(a.runs, "rehearsal"))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("%w: %d of %s were done", err, done, plural(a.runs, "rehearsal"))
	}
	bar.clear()
	d := distributionOf(all, a.innocent())
	return con.answer(d, append(a.heading(con.paint), d.text(con.paint)...))
}

// innocent says that no fault is the release's.
func (a asked) innocent() bool {
	return !slices.ContainsFunc(a.rehearsal.Model.Faults, func(f simulate.Fault) bool { return !f.Innocent() })
}

// distribution is how many rehearsals ended how.
type distribution struct {
	Runs    int            `json:"runs"`
	Results map[string]int `json:"results"`
	// Condemned is in how many runs each check condemned the release. Undecided are those that went
	// back since no verdict came.
	Condemned map[string]int `json:"condemned"`
	Undecided int            `json:"undecided,omitempty"`
	// FalseRollbacks is the share of runs that went back although no fault was the release's,
	// FalseSeeds theirs, and AtMost what that share is at most, with 95 % confidence; only where no
	// fault is the release's.
	FalseRollbacks *float64 `json:"falseRollbackRate,omitempty"`
	AtMost         *float64 `json:"falseRollbackRateAtMost,omitempty"`
	FalseSeeds     []uint64 `json:"falseRollbackSeeds,omitempty"`
	// Missed are the runs in which the release did harm, and was not taken back.
	Missed      int      `json:"missed"`
	MissedSeeds []uint64 `json:"missedSeeds,omitempty"`
	// WorstSeed is that of the run with the most bad requests, of those with harm.
	WorstSeed *uint64 `json:"worstSeed,omitempty"`
	// Detected, Undone and Bad are the 50th, the 90th and the 100th percentile over the runs with
	// harm.
	Detected []time.Duration `json:"detected,omitempty"`
	Undone   []time.Duration `json:"undone,omitempty"`
	Bad      []float64       `json:"bad,omitempty"`
	Exposed  []float64       `json:"exposed,omitempty"`
	// Limited are the runs that --limit stopped. NeverBegan is in how many runs each fault never
	// began.
	Limited    int            `json:"stoppedByLimit,omitempty"`
	NeverBegan map[string]int `json:"neverBegan,omitempty"`
	All        []simulated    `json:"all"`
}

var shownShares = []float64{0.5, 0.9, 1}

func distributionOf(all []simulated, innocent bool) distribution {
	d := distribution{Runs: len(all), Results: map[string]int{}, Condemned: map[string]int{}, NeverBegan: map[string]int{}, All: all}
	var detected, undone []time.Duration
	var bad, exposed []float64
	for _, s := range all {
		d.count(s, innocent)
		if !s.Harmed {
			continue
		}
		if len(bad) == 0 || s.Bad > slices.Max(bad) {
			d.WorstSeed = &s.Seed
		}
		bad, exposed = append(bad, s.Bad), append(exposed, s.Exposed)
		if s.Detected != nil {
			detected = append(detected, *s.Detected)
		}
		if s.Undone != nil {
			undone = append(undone, *s.Undone)
		}
	}
	d.Detected, d.Undone, d.Bad, d.Exposed = quantiles(detected), quantiles(undone), quantiles(bad), quantiles(exposed)
	if innocent {
		back := len(d.FalseSeeds)
		rate, most := simulate.Rounded(float64(back)/float64(len(all))), simulate.Rounded(upper(back, len(all)))
		d.FalseRollbacks, d.AtMost = &rate, &most
	}
	return d
}

// count adds one rehearsal to what is counted.
func (d *distribution) count(s simulated, innocent bool) {
	d.Results[s.Result]++
	for _, name := range s.Condemned {
		d.Condemned[name]++
	}
	for _, text := range s.NeverBegan {
		d.NeverBegan[text]++
	}
	if s.Limited {
		d.Limited++
	}
	back := s.Result == string(rollout.PhaseRolledBack)
	if back && len(s.Condemned) == 0 {
		d.Undecided++
	}
	if back && innocent {
		d.FalseSeeds = append(d.FalseSeeds, s.Seed)
	}
	if s.Harmed && s.Detected == nil {
		d.Missed++
		d.MissedSeeds = append(d.MissedSeeds, s.Seed)
	}
}

func quantiles[T ~int64 | ~float64](values []T) (out []T) {
	for _, share := range shownShares {
		if len(values) > 0 {
			out = append(out, simulate.Quantile(values, share))
		}
	}
	return out
}

// upper is what a share is at most of which n of all were seen, with 95 % confidence: the upper end
// of Wilson's interval, one-sided (E. B. Wilson, 1927, JASA 22), and of none seen 1 - 0.05^(1/all).
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
	lines := []string{plural(d.Runs, "rehearsal")}
	var rows [][]string
	for _, result := range slices.Sorted(maps.Keys(d.Results)) {
		rows = append(rows, []string{"  " + p.phase(result), fmt.Sprint(d.Results[result]), share(d.Results[result], d.Runs)})
	}
	lines = append(lines, columns(rows)...)
	if len(d.Condemned) > 0 {
		lines = append(lines, "condemned by: "+terminal.Safe(strings.Join(counted(d.Condemned), ", ")))
	}
	if d.Undecided > 0 {
		lines = append(lines, "back since no verdict came in time: "+plural(d.Undecided, "run"))
	}
	if d.FalseRollbacks != nil {
		lines = append(lines, "", fmt.Sprintf("false rollbacks: %s of rollouts, at most %s with 95%% confidence%s",
			humanize.Percent(*d.FalseRollbacks), humanize.Percent(*d.AtMost), seeds(d.FalseSeeds)))
	}
	lines = append(lines, d.costs(p)...)
	if d.Missed > 0 {
		lines = append(lines, p.yellow("note")+": harm that was not taken back: "+plural(d.Missed, "run")+seeds(d.MissedSeeds))
	}
	if d.Limited > 0 {
		lines = append(lines, p.yellow("note")+": not over when --limit stopped them: "+plural(d.Limited, "run"))
	}
	for _, text := range slices.Sorted(maps.Keys(d.NeverBegan)) {
		lines = append(lines, p.yellow("note")+fmt.Sprintf(": the fault %q never began in %s",
			terminal.Safe(text), plural(d.NeverBegan[text], "run")))
	}
	return lines
}

// costs are the times and the numbers of the runs with harm.
func (d distribution) costs(p paint) []string {
	if len(d.Bad) == 0 {
		return []string{"the release harmed no request"}
	}
	rows := [][]string{p.headings("WITH HARM", "HALF OF THEM", "90%", "AT MOST")}
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
	return append(append([]string{""}, columns(rows)...), fmt.Sprintf("the most bad requests: --seed %d rehearses that run", *d.WorstSeed))
}

// counted words how often each was counted, the most first.
func counted(of map[string]int) (out []string) {
	names := slices.Sorted(maps.Keys(of))
	slices.SortStableFunc(names, func(a, b string) int { return of[b] - of[a] })
	for _, name := range names {
		out = append(out, fmt.Sprintf("%s in %s", name, plural(of[name], "run")))
	}
	return out
}

// seeds names the first seeds of runs; nothing of none.
func seeds(of []uint64) string {
	const few = 5
	if len(of) == 0 {
		return ""
	}
	text := ": --seed " + strings.ReplaceAll(strings.Trim(fmt.Sprint(of[:min(few, len(of))]), "[]"), " ", ", ")
	if more := len(of) - few; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
