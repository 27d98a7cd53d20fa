package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/terminal"
	"github.com/sluicehq/sluice/internal/train"
)

// listedTrain is the train of a unit in a list.
type listedTrain struct {
	Unit string `json:"unit"`
	// State is the train's word, of Temporal's index where no worker answers: Heard is false then.
	State    string `json:"state"`
	UnderWay int    `json:"underWay"`
	Queued   int    `json:"queued,omitempty"`
	// Promoted is the newest release that has passed everywhere, and PromotedNumber its rollout;
	// empty if none is remembered.
	Promoted       string       `json:"promoted,omitempty"`
	PromotedNumber train.Number `json:"promotedNumber,omitempty"`
	Hold           string       `json:"hold,omitempty"`
	WorkflowID     string       `json:"workflowId"`
	URL            string       `json:"url,omitempty"`
	Heard          bool         `json:"heard"`
}

// trains are the trains that run and match a filter. None has a phase, or an outcome, or is one
// rollout.
func (r *remote) trains(ctx context.Context, f listFilter) ([]listedTrain, error) {
	if f.phase != "" || f.outcome != "" || strings.Contains(f.unit, ":") {
		return []listedTrain{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	query := fmt.Sprintf("WorkflowType = '%s' AND TaskQueue = '%s' AND ExecutionStatus = 'Running'",
		connect.TrainType, r.deployment.TaskQueue())
	if f.unit != "" {
		query += fmt.Sprintf(" AND %s = %s", connect.AttrUnit.GetName(), quoted(f.unit))
	}
	if f.open {
		query += fmt.Sprintf(" AND %s != '%s'", connect.AttrPhase.GetName(), train.Ledger{}.Word())
	}
	req := &workflowservice.ListWorkflowExecutionsRequest{PageSize: int32(min(f.limit, maxAsked)), Query: query}
	found, err := r.client.ListWorkflow(ctx, req)
	if err != nil {
		return nil, r.explainCall(fmt.Errorf("list trains: %w", err))
	}
	out := make([]listedTrain, len(found.GetExecutions()))
	for i, info := range found.GetExecutions() {
		id := info.GetExecution().GetWorkflowId()
		fields := info.GetSearchAttributes().GetIndexedFields()
		out[i] = listedTrain{
			Unit: keyword(fields, connect.AttrUnit.GetName()), State: keyword(fields, connect.AttrPhase.GetName()), WorkflowID: id,
			URL: r.link(id, info.GetExecution().GetRunId()),
		}
	}
	atOnce(len(out), func(i int) {
		if l, err := r.train(ctx, out[i].Unit); err == nil { // else the index is all that is known
			out[i].heard(l, r.short)
		}
	})
	slices.SortFunc(out, func(a, b listedTrain) int { return strings.Compare(a.Unit, b.Unit) })
	return out, nil
}

// heard puts what a train says over what the index says of it.
func (t *listedTrain) heard(l train.Ledger, short bool) {
	t.Heard, t.State, t.UnderWay = true, l.Word(), len(l.Open)
	for _, o := range l.Open {
		if o.State == train.Queued {
			t.Queued++
		}
	}
	if l.Hold != nil {
		t.Hold = l.Hold.Why
	}
	for _, c := range l.Closed {
		if c.Result == train.Promoted && c.Number > t.PromotedNumber {
			t.Promoted, t.PromotedNumber = c.Release, c.Number
		}
	}
	if short {
		t.Promoted = bundle.Short(t.Promoted)
	}
}

// trainTable is a row for each train.
func trainTable(trains []listedTrain, p paint) []string {
	table := [][]string{p.headings("TRAIN", "STATE", "UNDER WAY", "PROMOTED", "HOLD")}
	for _, t := range trains {
		promoted, state, way := "–", p.cyan(terminal.Safe(t.State)), strconv.Itoa(t.UnderWay)
		if t.PromotedNumber > 0 {
			promoted = fmt.Sprintf("%s (%s:%d)", terminal.Safe(t.Promoted), terminal.Safe(t.Unit), t.PromotedNumber)
		}
		if !slices.Contains([]string{"idle", "running"}, t.State) {
			state = p.yellow(terminal.Safe(t.State))
		}
		if !t.Heard {
			way, promoted = "?", "?"
		}
		table = append(table, []string{terminal.Safe(t.Unit), state, way, promoted, orDash(terminal.Safe(cut(t.Hold, maxWhy)))})
	}
	return columns(table)
}
