package prometheus

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/sluicehq/sluice/internal/health/source"
)

// unidentified says that a filled selector's metric is there, and not with the label by which
// identify finds the exposed targets; empty where that is not so.
func (p *server) unidentified(ctx context.Context, selector string, at time.Time) string {
	tree, err := parse(selector)
	sel, ok := tree.(*parser.VectorSelector)
	if err != nil || !ok || sel.Name == "" || len(p.exposed) == 0 {
		return ""
	}
	_, targets := loosen(sel, p.spec.Identify.Label, false)
	if len(targets) == 0 || !p.newest(ctx, written(sel.Name, targets...), at).Empty {
		return ""
	}
	v, _ := p.evaluate(ctx, "topk(1, "+sel.Name+")", at).value.(model.Vector)
	if len(v) == 0 {
		return ""
	}
	delete(v[0].Metric, model.MetricNameLabel)
	return fmt.Sprintf("no series of %s has %s=%q, by which health.identify finds a target; there is one with %s", sel.Name,
		p.spec.Identify.Label, source.Cut(p.exposed[0], 60), source.Cut(strings.Trim(v[0].Metric.String(), "{}"), 200))
}
