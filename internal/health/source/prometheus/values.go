package prometheus

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/sluicehq/sluice/internal/health/source"
)

// mostFamilies is how many metrics of a query are told apart, each by one query.
const mostFamilies = 3

// family are the events of a metric, of which a query of bad events picks some.
type family struct {
	query string
	picks source.Picks
	whole bool // total counts all of them
}

// Breakdown asks one query for each metric of bad.
func (p *server) Breakdown(ctx context.Context, bad, total string, a source.Arm, w source.Window) (source.Values, source.Reading) {
	var all source.Values
	part, read := false, source.Reading{}
	for _, f := range p.families(bad, total, a, w) {
		g := p.evaluate(ctx, f.query, w.At)
		v, ok := g.value.(model.Vector)
		switch {
		case g.Verdict != "":
			return source.Values{}, g.Reading
		case !ok:
			return source.Values{}, source.NoData(f.query, "the query answers no series where events are told apart by their labels")
		}
		for _, s := range v {
			r := sampled(s).Counted()
			if r.Verdict != "" {
				r.Query = f.query
				return source.Values{}, r
			}
			missed, meant := f.picks.Missed(func(name string) string { return string(s.Metric[model.LabelName(name)]) })
			all.Add(missed, meant, r.Value)
		}
		part, read = part || !f.whole, g.Reading
	}
	if part {
		r := p.Count(ctx, total, a, w, source.EmptyIsUnknown)
		if r.Verdict != "" {
			return source.Values{}, r
		}
		all.Total = r.Value
	}
	return all.Most(), read
}

// families are the metrics that a query of bad events counts some events of.
func (p *server) families(bad, total string, a source.Arm, w source.Window) []family {
	query, err := p.fill(bad, a, w)
	if err != nil {
		return nil
	}
	of, err := p.fill(total, a, w)
	if err != nil {
		return nil
	}
	counted := map[string][]*labels.Matcher{}
	eachSelector(of, func(sel *parser.VectorSelector, _ []parser.Node) { counted[sel.Name] = sel.LabelMatchers })
	tree, err := parse(query)
	if err != nil {
		return nil
	}
	var out []family
	parser.Inspect(tree, func(node parser.Node, path []parser.Node) error {
		call, ok := node.(*parser.Call)
		if !ok || len(out) == mostFamilies || subtracted(node, path) {
			return nil
		}
		f := p.family(call, counted, w)
		if f.query != "" && !slices.ContainsFunc(out, func(other family) bool { return other.query == f.query }) {
			out = append(out, f)
		}
		return nil
	})
	return out
}

// subtracted says that what a query takes away is meant: events that are not bad.
func subtracted(node parser.Node, path []parser.Node) bool {
	for i, above := range path {
		below := node
		if i+1 < len(path) {
			below = path[i+1]
		}
		if n, ok := above.(*parser.BinaryExpr); ok && n.Op == parser.SUB && parser.Node(n.RHS) == below {
			return true
		}
	}
	return false
}

// family is the query for all events of the metric that a call counts some of; its query is empty
// where it counts no events, or all of them.
func (p *server) family(call *parser.Call, counted map[string][]*labels.Matcher, w source.Window) family {
	if !slices.Contains([]string{"increase", "sum_over_time", "count_over_time"}, call.Func.Name) {
		return family{}
	}
	matrix, ok := call.Args[0].(*parser.MatrixSelector)
	if !ok {
		return family{}
	}
	sel, ok := matrix.VectorSelector.(*parser.VectorSelector)
	if !ok || sel.Name == "" || elsewhere(sel) {
		return family{}
	}
	total, same := counted[sel.Name]
	isTarget := func(m *labels.Matcher) bool { return m.Name == p.spec.Identify.Label }
	names := slices.DeleteFunc(slices.Clone(sel.LabelMatchers), func(m *labels.Matcher) bool { return !isTarget(m) })
	if len(names) == 0 {
		return family{}
	}
	picks := slices.DeleteFunc(source.PicksOf(sel.LabelMatchers, total, same), isTarget)
	if len(picks) == 0 {
		return family{}
	}
	rest := slices.DeleteFunc(slices.Clone(sel.LabelMatchers), func(m *labels.Matcher) bool { return slices.Contains(picks, m) })
	if same {
		rest, same = picks.Rest(slices.DeleteFunc(slices.Clone(total), isTarget))
		rest = append(rest, names...)
	}
	all := &parser.VectorSelector{Name: sel.Name, LabelMatchers: rest}
	text := fmt.Sprintf("%s(%s[%s])", call.Func.Name, all, model.Duration(matrix.Range))
	if call.Func.Name == "increase" { // which leaves out what series began with
		text += fmt.Sprintf(` or label_replace(%s, "sluice_began", "1", "", "")`, p.bornSeries(all, matrix.Range, w))
	}
	return family{
		query: fmt.Sprintf("topk(%d, sum by (%s) (%s))", source.MostValues, strings.Join(picks.Names(), ", "), text),
		picks: picks, whole: same,
	}
}
