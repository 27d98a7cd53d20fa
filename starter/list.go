package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/terminal"
)

func listCommand() command {
	return command{
		name: "list", args: "", short: "list rollouts, newest first",
		long: `Lists rollouts from Temporal's index, newest first. The index lags by a moment
and knows only what is worth an entry; sluice status UNIT knows all.`,
		example: "sluice list --open",
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "open", DisableDefaultText: true, Usage: "only rollouts that run"},
			&cli.StringFlag{Name: "unit", Usage: "only rollouts of `UNIT`"},
			&cli.StringFlag{Name: "phase", Usage: "only rollouts in `PHASE`: running, waiting-for-approval, holding, rolling-back"},
			&cli.StringFlag{Name: "outcome", Usage: "only rollouts that ended as `OUTCOME`: promoted, rolled-back, aborted, incomplete, refused"},
			&cli.IntFlag{Name: "limit", Value: 20, Usage: "at most `N` rollouts, 1 to 1000"},
		},
		remote: true,
		run:    list,
	}
}

// listFilter says which rollouts to list.
type listFilter struct {
	open                 bool
	unit, phase, outcome string
	limit                int
}

// listed is one rollout in a list.
type listed struct {
	Unit       string    `json:"unit"`
	Release    string    `json:"release"`
	Phase      string    `json:"phase"`
	Stage      string    `json:"stage"`
	Outcome    string    `json:"outcome,omitempty"`
	Status     string    `json:"status"`
	StartedAt  time.Time `json:"startedAt"`
	ClosedAt   time.Time `json:"closedAt,omitzero"`
	By         string    `json:"by,omitempty"`
	WorkflowID string    `json:"workflowId"`
	RunID      string    `json:"runId"`
	URL        string    `json:"url,omitempty"`
}

func list(ctx context.Context, con *console, c *cli.Context) error {
	f := listFilter{
		open: c.Bool("open"), unit: c.String("unit"), phase: c.String("phase"),
		outcome: c.String("outcome"), limit: c.Int("limit"),
	}
	if f.limit < 1 || f.limit > 1000 {
		return usagef("--limit is %d, expected 1 to 1000", f.limit)
	}
	r, err := dial(ctx, c)
	if err != nil {
		return err
	}
	defer r.close()
	rows, err := r.list(ctx, f)
	if err != nil {
		return err
	}
	if con.json {
		return con.object(map[string]any{"rollouts": rows})
	}
	if len(rows) == 0 {
		con.say("no rollouts%s: sluice start rollout.yaml starts one", f.words())
		return nil
	}
	return con.lines(listTable(rows, con.now(), con.paint))
}

// query is the filter in Temporal's language.
func (f listFilter) query() string {
	parts := []string{"WorkflowType = " + quoted(connect.WorkflowType)}
	if f.open {
		parts = append(parts, "ExecutionStatus = 'Running'")
	}
	for _, p := range []struct{ name, value string }{
		{connect.AttrUnit.GetName(), f.unit}, {connect.AttrPhase.GetName(), f.phase}, {connect.AttrOutcome.GetName(), f.outcome},
	} {
		if p.value != "" {
			parts = append(parts, p.name+" = "+quoted(p.value))
		}
	}
	return strings.Join(parts, " AND ")
}

// quoted is a string literal of Temporal's list filters.
func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

func (f listFilter) words() string {
	if f.open || f.unit != "" || f.phase != "" || f.outcome != "" {
		return " match"
	}
	return " yet"
}

// list asks the index, page by page.
func (r *remote) list(ctx context.Context, f listFilter) ([]listed, error) {
	rows := []listed{}
	var page []byte
	for len(rows) < f.limit {
		res, err := r.listPage(ctx, f, page)
		if err != nil {
			return nil, r.explainCall(fmt.Errorf("list rollouts: %w", err))
		}
		for _, info := range res.GetExecutions() {
			unit, _ := connect.UnitOf(info.GetExecution().GetWorkflowId())
			v := r.outside(unit, info)
			rows = append(rows, listed{
				Unit: v.Unit, Release: v.Release, Phase: v.Phase, Stage: v.Stage, Status: v.Status, By: v.By,
				Outcome:   keyword(info.GetSearchAttributes().GetIndexedFields(), connect.AttrOutcome.GetName()),
				StartedAt: v.StartedAt, ClosedAt: v.ClosedAt, WorkflowID: v.WorkflowID, RunID: v.RunID, URL: v.URL,
			})
		}
		if page = res.GetNextPageToken(); len(page) == 0 {
			break
		}
	}
	return rows[:min(len(rows), f.limit)], nil
}

func (r *remote) listPage(ctx context.Context, f listFilter, page []byte) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return r.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: int32(min(f.limit, 100)), NextPageToken: page, Query: f.query(),
	})
}

func listTable(rows []listed, now time.Time, p paint) []string {
	table := [][]string{{p.bold("UNIT"), p.bold("RELEASE"), p.bold("PHASE"), p.bold("STAGE"), p.bold("OUTCOME"), p.bold("STARTED"), p.bold("BY")}}
	for _, r := range rows {
		phase := r.Phase
		if r.Status != statusRunning && r.Outcome == "" {
			phase = r.Status // ended without a word
		}
		table = append(table, []string{
			terminal.Safe(r.Unit), terminal.Safe(r.Release), p.phase(phase), terminal.Safe(orDash(r.Stage)),
			p.phase(orDash(r.Outcome)), stamp(r.StartedAt, now), terminal.Safe(orDash(r.By)),
		})
	}
	return columns(table, "  ")
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
