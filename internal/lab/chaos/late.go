package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/driver"
)

// lateOrders sends, once a rollout has gone back, an order to go forward to every target that one
// may still have been on its way to: the network had it all the while. A target that takes it now
// runs the release, which check then finds.
func (d *drive) lateOrders(ctx context.Context, e evidence, fence int64, history *historypb.History) error {
	ids, err := applied(history, e.cohorts)
	if err != nil {
		return err
	}
	return d.sendLate(ctx, e, fence, ids)
}

// repeatOrders sends the orders of a history that was lost once more, to targets that had taken
// them. Of an order that was still on its way then, nothing is known to anybody.
func (d *drive) repeatOrders(ctx context.Context, e evidence, fence int64) error {
	orders, err := d.Orders(ctx)
	if err != nil {
		return err
	}
	var ids []string
	for _, o := range orders {
		if o.Accepted && o.Fence == fence {
			ids = append(ids, o.Target)
		}
	}
	return d.sendLate(ctx, e, fence, ids)
}

// sendLate sends an order to go forward to some targets, if the rollout has gone back.
func (d *drive) sendLate(ctx context.Context, e evidence, fence int64, ids []string) error {
	if o := e.state.Outcome; o == nil || !o.Result.GoesBack() {
		return nil
	}
	unit, _, _ := strings.Cut(d.unit, ":")
	for _, id := range ids {
		url := fmt.Sprintf("%s/t/%s/sluice/v1/units/%s", d.rig.url, id, unit)
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, strings.NewReader(fmt.Sprintf(`{"release":%q}`, e.release)))
		if err != nil {
			return err
		}
		req.Header.Set(driver.FenceHeader, strconv.FormatInt(fence, 10))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("send a late order: %w", err)
		}
		_ = res.Body.Close()
	}
	return nil
}

// applied are the targets of all batches that were ever given to a worker to apply.
func applied(history *historypb.History, cohorts [][]string) ([]string, error) {
	order, ids := slices.Concat(cohorts...), []string(nil)
	for _, event := range history.GetEvents() {
		a := event.GetActivityTaskScheduledEventAttributes()
		if event.GetEventType() != enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED || a.GetActivityType().GetName() != activities.TypeApply {
			continue
		}
		var in activities.ApplyInput
		if err := converter.GetDefaultDataConverter().FromPayloads(a.GetInput(), &in); err != nil {
			return nil, fmt.Errorf("read what was to be applied: %w", err)
		}
		ids = append(ids, order[in.From:in.To]...)
	}
	return ids, nil
}
