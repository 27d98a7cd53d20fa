package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"
)

func listCommand() command {
	return command{
		name: "list", short: "list trains, and rollouts, newest first",
		long: `Lists rollouts from Temporal's index, newest first, and asks the newest 100 for their phase,
since when, and why; those that have ended, why they ended so. If one does not answer, its phase is the index's:
running, holding, waiting-for-approval, waiting-for-turn, guarding, rolling-back or locked. The row of an undo says
undo of RELEASE. Above them is a row for each train: its state (idle, running, held, rolling-back, ended-by-hand), how
many of its releases are under way, and the newest that was promoted.`,
		example: "sluice list --open",
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "open", DisableDefaultText: true, Usage: "only rollouts that run"},
			&cli.StringFlag{Name: "unit", Usage: "only rollouts of `UNIT`, or the one of a train that is UNIT:NUMBER"},
			&cli.StringFlag{Name: "phase", Usage: "only rollouts in `PHASE`, such as baking, paused, holding, rolling-back, locked"},
			&cli.StringFlag{
				Name: "outcome",
				Usage: "only rollouts that ended as `OUTCOME`: " +
					"promoted, rolled-back, aborted, incomplete, refused, undone, superseded, withdrawn",
			},
			&cli.IntFlag{Name: "limit", Value: 20, Usage: "at most `N` rollouts, 1 to 1000"},
		},
		remote: true,
		run:    list,
	}
}

// Temporal's index holds only changes that are worth an event, so a list asks the rollouts
// themselves, within bounds: each question takes a worker a moment.
const (
	maxAsked    = 100
	askedAtOnce = 8
	askWithin   = 3 * time.Second
)

// listing is what a list found.
type listing struct {
	rows []listed
	// asked is how many rollouts were asked, and silent how many of them did not answer.
	asked, silent int
	// read is how many results of ended ones were asked for.
	read int
	// unasked is how many that run were not asked: there were too many.
	unasked int
	// more says that there are more than --limit.
	more bool
}

// listed is one rollout in a list.
type listed struct{ view }

// heard says that the rollout itself was heard, or has ended: without, Phase is what the index
// knows.
func (l listed) heard() bool { return l.State != nil || !l.running() }

// MarshalJSON writes what a list shows.
func (l listed) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Unit       string    `json:"unit"`
		Release    string    `json:"release"`
		Phase      string    `json:"phase"`
		Since      time.Time `json:"since,omitzero"`
		Why        string    `json:"why,omitempty"`
		Paused     bool      `json:"paused"`
		Stage      string    `json:"stage"`
		Outcome    string    `json:"outcome,omitempty"`
		Status     string    `json:"status"`
		StartedAt  time.Time `json:"startedAt"`
		ClosedAt   time.Time `json:"closedAt,omitzero"`
		By         string    `json:"by,omitempty"`
		WorkflowID string    `json:"workflowId"`
		RunID      string    `json:"runId"`
		Undoes     string    `json:"undoes,omitempty"`
		URL        string    `json:"url,omitempty"`
		Heard      bool      `json:"heard"`
	}{
		l.Unit, l.Release, l.Phase, l.since(), l.why(), l.paused() != nil, l.Stage, l.Outcome, l.Status, l.StartedAt, l.ClosedAt, l.By,
		l.WorkflowID, l.RunID, l.undoes(), l.URL, l.heard(),
	})
}

func list(ctx context.Context, con *console, c *cli.Context) error {
	f := listFilter{
		open: c.Bool("open"), unit: c.String("unit"), phase: c.String("phase"),
		outcome: c.String("outcome"), limit: c.Int("limit"),
	}
	if err := f.check(); err != nil {
		return err
	}
	r, err := dial(ctx, con, c)
	if err != nil {
		return err
	}
	defer r.client.Close()
	got, err := r.list(ctx, f)
	if err != nil {
		return err
	}
	got.notes(con)
	trains, err := r.trains(ctx, f)
	if err != nil {
		return err
	}
	if con.json {
		return con.object(map[string]any{"trains": trains, "rollouts": got.rows})
	}
	if len(trains) > 0 {
		if err := con.lines(append(trainTable(trains, con.paint), "")); err != nil {
			return err
		}
	}
	if len(got.rows) == 0 {
		con.say("%s", got.none(f))
		return nil
	}
	return con.lines(listTable(got.rows, con.now(), con.width(), con.paint))
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
			r.read(asking, found, &got)
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
		unit, _ := r.deployment.UnitOf(info.GetExecution().GetWorkflowId())
		rows = append(rows, listed{r.shown(r.outside(unit, info))})
	}
	return rows
}

// ask puts what rollouts that run say of themselves over what the index says of them, in rows.
func (r *remote) ask(ctx context.Context, rows []listed, got *listing) {
	var open []*listed
	for i := range rows {
		if rows[i].running() {
			open = append(open, &rows[i])
		}
	}
	asked := open[:min(len(open), maxAsked-got.asked)]
	got.asked += len(asked)
	got.unasked += len(open) - len(asked)
	atOnce(len(asked), func(i int) {
		l := asked[i]
		if s, err := r.query(ctx, l.view); err == nil { // else the index is all that is known
			l.State = s
			l.view = r.shown(l.inside())
		}
	})
	for _, l := range asked {
		if !l.heard() {
			got.silent++
		}
	}
}

// read puts the results of rollouts that have ended over what the index says of them, in rows: why
// they ended so.
func (r *remote) read(ctx context.Context, rows []listed, got *listing) {
	var ended []*listed
	for i := range rows {
		if !rows[i].running() {
			ended = append(ended, &rows[i])
		}
	}
	ended = ended[:min(len(ended), maxAsked-got.read)]
	got.read += len(ended)
	atOnce(len(ended), func(i int) {
		l := ended[i]
		switch s, err := r.result(ctx, l.view); {
		case err != nil && !transient(err):
			l.Trouble = resultTrouble(l.view, err)
		case err == nil && s.Outcome != nil:
			l.State = s
			l.view = r.shown(l.inside())
		}
	})
}

// atOnce calls f for every number below n, some at a time, and waits.
func atOnce(n int, f func(i int)) {
	var asking errgroup.Group
	asking.SetLimit(askedAtOnce)
	for i := range n {
		asking.Go(func() error { f(i); return nil })
	}
	_ = asking.Wait() // none fails
}

func (r *remote) listPage(ctx context.Context, f listFilter, page []byte) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	size := min(f.limit+1, 1000) // one more tells whether there are more
	if f.phase != "" {           // some of them will be left out
		size = 100
	}
	return r.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: int32(size), NextPageToken: page, Query: f.query(r.deployment),
	})
}
