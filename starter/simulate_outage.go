package main

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/sluicehq/sluice/internal/humanize"
	"github.com/sluicehq/sluice/internal/plan"
	"github.com/sluicehq/sluice/internal/simulate/outages"
	"github.com/sluicehq/sluice/internal/store"
	"github.com/sluicehq/sluice/internal/terminal"
	"github.com/sluicehq/sluice/worker/rehearsal"
)

// replayed is an outage's change, deployed in every way.
type replayed struct {
	Outage  outages.Outage     `json:"outage"`
	Targets int                `json:"targets"`
	Seed    uint64             `json:"seed"`
	Ways    []rehearsal.Played `json:"ways"`
}

// replayOutage deploys the change of --outage in every way.
func replayOutage(ctx context.Context, con *console, c *cli.Context, s store.Store) error {
	path := c.String("outage")
	data, err := readFile(path, outages.MaxBytes)
	if err != nil {
		return err
	}
	o, err := outages.Parse(path, data)
	if err != nil {
		return invalidInput(path, err)
	}
	p, err := outagePlan(con, c, o)
	if err != nil {
		return err
	}
	out := replayed{Outage: o, Targets: len(p.Order), Seed: c.Uint64("seed")}
	bar := con.progress()
	defer bar.clear()
	for i, w := range outages.Ways() {
		bar.say("%d of %d: %s", i+1, len(outages.Ways()), w)
		played, err := rehearsed(ctx, func() (rehearsal.Played, error) { return rehearsal.Play(o, w, p, con.catalog, s, out.Seed) })
		if err != nil {
			return err
		}
		out.Ways = append(out.Ways, played)
	}
	bar.clear()
	return con.answer(out, out.text(con.paint))
}

// outagePlan cuts the outage's fleet by the spec that the command line names, else by the default
// one.
func outagePlan(con *console, c *cli.Context, o outages.Outage) (plan.Plan, error) {
	file, text := "", []byte(nil)
	if path := c.Args().First(); path != "" {
		var err error
		if text, err = read(con, path); err != nil {
			return plan.Plan{}, err
		}
		file = named(path)
	}
	p, err := o.Plan(file, text, con.catalog.Kinds())
	if err != nil {
		return p, invalidInput(file, err)
	}
	return p, nil
}

func (r replayed) text(p paint) []string {
	lines := []string{
		p.bold(terminal.Safe(r.Outage.Name)) + ": " + terminal.Safe(r.Outage.Title),
		"changed: " + terminal.Safe(r.Outage.Change), "",
	}
	rows := [][]string{p.headings("THE CHANGE BY", "EXPOSED", "DETECTED", "UNDONE", "BAD", "OF PUSH", "PERSON")}
	push := r.Ways[0].Bad
	short := strings.NewReplacer(", a person watching", ", watched", "stages on a timer", "timed stages") // 80 columns
	for _, w := range r.Ways {
		rows = append(rows, []string{
			short.Replace(string(w.Way)), humanize.PercentTo(w.Exposed, 3),
			orNever(w.Detected, "-"), orNever(w.Undone, "-"), humanize.Integer(w.Bad),
			ofPush(w.Bad, push), map[bool]string{true: "yes", false: "no"}[w.Person],
		})
	}
	lines = append(lines, columns(rows)...)
	gated := r.Ways[len(r.Ways)-1]
	at := ""
	if gated.Stage != "" {
		at = " at " + terminal.Safe(gated.Stage)
	}
	lines = append(lines, "", "Sluice: "+p.phase(string(gated.Result))+at+": "+terminal.Safe(gated.Why))
	switch {
	case gated.Back():
	case gated.Unseen:
		lines = append(lines, p.yellow("no signal")+": what the change does begins when nobody watches any more, "+
			"or in nothing that a check of the spec asks for")
	case gated.Harmed:
		lines = append(lines, p.red("missed")+": the change does harm that no check of the spec took for its own while it was watched")
	}
	if math.Round(gated.Bad) > math.Round(push) {
		lines = append(lines, fmt.Sprintf("%s: Sluice cost %s bad requests, more than a push: %s. "+
			"Nobody else looks until its rollout has ended, so harm that it misses, or sees late, lasts longer than in the outage",
			p.yellow("note"), humanize.Integer(gated.Bad), humanize.Integer(push)))
	}
	if r.Outage.Limits != "" {
		lines = append(lines, p.yellow("note")+": "+terminal.Safe(r.Outage.Limits))
	}
	return lines
}

// ofPush is a share of what a push did.
func ofPush(bad, push float64) string {
	if push == 0 {
		return "-"
	}
	return humanize.PercentTo(bad/push, 3)
}
