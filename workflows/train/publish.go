package train

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/sluicehq/sluice/internal/connect"
	"github.com/sluicehq/sluice/internal/rollout"
	"github.com/sluicehq/sluice/internal/train"
)

// publish shows the train in the workflow's details in the Web UI.
func (r *run) publish(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, markdown(r.Ledger))
	r.index(ctx)
}

// index updates the search attributes, when the newest number or the state's word has changed.
func (r *run) index(ctx workflow.Context) {
	now := [2]string{number(r.Ledger.Last), r.Ledger.Word()}
	if now == r.indexed {
		return
	}
	r.indexed = now
	if err := workflow.UpsertTypedSearchAttributes(ctx, connect.AttrNumber.ValueSet(now[0]), connect.AttrPhase.ValueSet(now[1])); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes were not updated", "error", err)
	}
}

// markdown shows a train to people, for the Web UI: a row for each rollout, the youngest first, and
// a column for each stage.
func markdown(l train.Ledger) string {
	out, md := "", rollout.Markdown
	if l.Hold != nil {
		out += fmt.Sprintf("**held**: %s\n\n", md(l.Hold.Why))
	}
	most := 0
	for _, r := range l.Open {
		most = max(most, r.Stages)
	}
	heads, lines := "", ""
	for i := range most {
		heads, lines = heads+fmt.Sprintf(" %d |", i+1), lines+" :-: |"
	}
	out += "| rollout | release |" + heads + " state | waits for |\n| ---: | --- |" + lines + " --- | --- |\n"
	for _, r := range slices.Backward(l.Open) {
		marks := ""
		for i := range most {
			marks += " " + r.Mark(i) + " |"
		}
		out += fmt.Sprintf("| %d | %s |%s %s | %s |\n", r.Number, md(r.Release), marks, r.Word(), md(r.Told.Waits))
	}
	for _, c := range l.Ended(maxEnded) {
		out += fmt.Sprintf("| %d | %s |%s %s | %s |\n",
			c.Number, md(c.Release), strings.Repeat(" |", most), c.Result, md(rollout.Clip(c.Why, maxEnd)))
	}
	return out
}

// How many rollouts that have ended the page shows, and how many bytes of why.
const (
	maxEnded = 10
	maxEnd   = 100
)

func number(n train.Number) string { return strconv.FormatInt(int64(n), 10) }
