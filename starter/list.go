package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/terminal"
)

func listCommand() command {
	return command{
		name: "list", short: "list rollouts, newest first",
		long: `Lists rollouts from Temporal's index, newest first, and asks the newest 100 that run
for their phase. If one does not answer, its phase is the index's: running, holding,
waiting-for-approval, rolling-back or locked.`,
		example: "sluice list --open",
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "open", DisableDefaultText: true, Usage: "only rollouts that run"},
			&cli.StringFlag{Name: "unit", Usage: "only rollouts of `UNIT`"},
			&cli.StringFlag{Name: "phase", Usage: "only rollouts in `PHASE`, such as baking, paused, holding, rolling-back, locked"},
			&cli.StringFlag{Name: "outcome", Usage: "only rollouts that ended as `OUTCOME`: promoted, rolled-back, aborted, incomplete, refused"},
			&cli.IntFlag{Name: "limit", Value: 20, Usage: "at most `N` rollouts, 1 to 1000"},
		},
		remote: true,
		run:    list,
	}
}

// listed is one rollout in a list.
type listed struct {
	Unit       string    `json:"unit"`
	Release    string    `json:"release"`
	Phase      string    `json:"phase"`
	Paused     bool      `json:"paused"`
	Stage      string    `json:"stage"`
	Outcome    string    `json:"outcome,omitempty"`
	Status     string    `json:"status"`
	StartedAt  time.Time `json:"startedAt"`
	ClosedAt   time.Time `json:"closedAt,omitzero"`
	By         string    `json:"by,omitempty"`
	WorkflowID string    `json:"workflowId"`
	RunID      string    `json:"runId"`
	URL        string    `json:"url,omitempty"`
	// Heard says that the rollout itself was heard, or has ended: without, Phase is
	// what the index knows.
	Heard bool `json:"heard"`
}

func list(ctx context.Context, con *console, c *cli.Context) error {
	f := listFilter{
		open: c.Bool("open"), unit: c.String("unit"), phase: c.String("phase"),
		outcome: c.String("outcome"), limit: c.Int("limit"),
	}
	if err := f.check(); err != nil {
		return err
	}
	r, err := dial(ctx, c)
	if err != nil {
		return err
	}
	defer r.close()
	got, err := r.list(ctx, f)
	if err != nil {
		return err
	}
	got.notes(con)
	if con.json {
		return con.object(map[string]any{"rollouts": got.rows})
	}
	if len(got.rows) == 0 {
		con.say("%s", got.none(f))
		return nil
	}
	return con.lines(listTable(got.rows, con.now(), con.paint))
}

// list asks the index, page by page, and the rollouts that run.
func (r *remote) list(ctx context.Context, f listFilter) (listing, error) {
	asking, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	got := listing{rows: []listed{}}
	for page := []byte(nil); ; {
		res, err := r.listPage(ctx, f, page)
		if err != nil {
			return got, r.explainCall(fmt.Errorf("list rollouts: %w", err))
		}
		found := r.rows(res.GetExecutions())
		if room := f.limit - len(got.rows); f.phase == "" && len(found) > room {
			found, got.more = found[:room], true
		}
		if !f.unasked {
			r.ask(asking, found, &got)
		}
		got.rows = append(got.rows, slices.DeleteFunc(found, func(l listed) bool { return !f.holds(l) })...)
		page = res.GetNextPageToken()
		if len(page) == 0 || len(got.rows) > f.limit || got.more || f.needsAnswers() && got.unasked > 0 {
			break
		}
	}
	got.more = got.more || len(got.rows) > f.limit
	got.rows = got.rows[:min(len(got.rows), f.limit)]
	return got, ctx.Err()
}

// rows are what the index says.
func (r *remote) rows(infos []*workflowpb.WorkflowExecutionInfo) []listed {
	rows := make([]listed, 0, len(infos))
	for _, info := range infos {
		unit, _ := connect.UnitOf(info.GetExecution().GetWorkflowId())
		v := r.outside(unit, info)
		l := listed{
			Outcome: keyword(info.GetSearchAttributes().GetIndexedFields(), connect.AttrOutcome.GetName()),
			Heard:   !v.running(),
		}
		rows = append(rows, l.with(v))
	}
	return rows
}

// with takes what a view knows.
func (l listed) with(v view) listed {
	l.Unit, l.Release, l.Phase, l.Stage, l.Status, l.By = v.Unit, v.Release, v.Phase, v.Stage, v.Status, v.By
	l.StartedAt, l.ClosedAt, l.WorkflowID, l.RunID, l.URL = v.StartedAt, v.ClosedAt, v.WorkflowID, v.RunID, v.URL
	return l
}

func (r *remote) listPage(ctx context.Context, f listFilter, page []byte) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	size := min(f.limit+1, 1000) // one more tells whether there are more
	if f.phase != "" {           // some of them will be left out
		size = 100
	}
	return r.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: int32(size), NextPageToken: page, Query: f.query(),
	})
}

func listTable(rows []listed, now time.Time, p paint) []string {
	table := [][]string{p.headings("UNIT", "RELEASE", "PHASE", "STAGE", "OUTCOME", "STARTED", "BY")}
	for _, r := range rows {
		phase := r.Phase
		if r.Status != statusRunning && r.Outcome == "" {
			phase = r.Status // ended without a word
		}
		table = append(table, []string{
			terminal.Safe(r.Unit), terminal.Safe(r.Release), listedPhase(r, phase, p), terminal.Safe(orDash(r.Stage)),
			p.phase(orDash(r.Outcome)), stamp(r.StartedAt, now), terminal.Safe(orDash(r.By)),
		})
	}
	return columns(table, "  ")
}

// listedPhase is a phase, and whether promotion was stopped in it.
func listedPhase(r listed, phase string, p paint) string {
	if r.Paused {
		return p.phase(phase) + p.yellow(", "+phasePaused)
	}
	return p.phase(phase)
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
