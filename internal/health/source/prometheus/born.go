package prometheus

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/sluicehq/sluice/internal/health/source"
)

// withBorn adds to a count the events that series began with which are younger than the window:
// increase leaves first samples out. They count from 0 where their target was read before they were
// there, or started since.
func (p *server) withBorn(ctx context.Context, expr string, a source.Arm, w source.Window, r source.Reading) source.Reading {
	if r.Verdict != "" {
		return r
	}
	query, err := p.fill(expr, a, w)
	if err != nil {
		return r
	}
	if query = p.born(query, w); query == "" {
		return r
	}
	switch born := p.query(ctx, query, w.At).Counted(); {
	case born.Empty:
	case born.Verdict != "":
		return born
	default:
		r.Value += born.Value
	}
	return r
}

// bornEach is what withBorn adds, by target, or why that is not known.
func (p *server) bornEach(ctx context.Context, expr string, w source.Window) (map[string]float64, source.Reading) {
	about, out := p.about(expr, source.Exposed), map[string]float64{}
	for values := range slices.Chunk(about.values, matcherSample) {
		query, err := p.fillFor(expr, values, w)
		if err != nil {
			return nil, source.Reading{}
		}
		if query = p.born(query, w); query == "" {
			return nil, source.Reading{}
		}
		more, wrong := p.byTarget(ctx, query, w.At)
		if wrong.Verdict != "" {
			return nil, wrong
		}
		for value, n := range more {
			out[about.ids[value]] += n
		}
	}
	return out, source.Reading{}
}

// born is a filled query of increases as one of what new series began with; empty where it asks for
// none.
func (p *server) born(query string, w source.Window) string {
	tree, err := parse(query)
	if err != nil {
		return ""
	}
	type cut struct {
		from, to int
		text     string
	}
	var cuts []cut
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		call, ok := node.(*parser.Call)
		if !ok || call.Func.Name != "increase" {
			return nil
		}
		matrix, ok := call.Args[0].(*parser.MatrixSelector)
		if !ok {
			return nil
		}
		sel, ok := matrix.VectorSelector.(*parser.VectorSelector)
		if !ok || elsewhere(sel) || p.alike(sel, false) == "" {
			return nil
		}
		at := call.PositionRange()
		cuts = append(cuts, cut{int(at.Start), int(at.End), p.bornSeries(sel, matrix.Range, w)})
		return nil
	})
	for _, c := range slices.Backward(cuts) {
		query = query[:c.from] + c.text + query[c.to:]
	}
	if len(cuts) == 0 {
		return ""
	}
	return query
}

// bornSeries are what the series of a selector that are younger than a range began with.
func (p *server) bornSeries(sel *parser.VectorSelector, long time.Duration, w source.Window) string {
	s, label := written(sel.Name, sel.LabelMatchers...), p.spec.Identify.Label
	targets := sel.LabelMatchers[slices.IndexFunc(sel.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == label })]
	return fmt.Sprintf(
		"(clamp_min((%[1]s unless %[1]s offset %[2]s) - (increase(%[1]s[%[2]s]) or %[1]s * 0), 0)"+
			" and on (%[3]s) (%[4]s offset %[2]s or up{%[5]s} offset %[2]s or process_start_time_seconds{%[5]s} > %[6]d))",
		s, model.Duration(long), label, p.alike(sel, false), targets, w.At.Add(-long).Unix(),
	)
}
