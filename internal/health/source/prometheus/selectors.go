package prometheus

import (
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/sluicehq/sluice/internal/health/source"
)

// parse reads a filled query.
func parse(query string) (parser.Expr, error) {
	return parser.NewParser(parser.Options{}).ParseExpr(query)
}

// eachSelector calls f with the selectors of a filled query that look at its own moment, and with
// what stands above each. What looks elsewhere, with an offset or at a time of its own, does so on
// purpose.
func eachSelector(query string, f func(sel *parser.VectorSelector, path []parser.Node)) {
	tree, err := parse(query)
	if err != nil {
		return
	}
	parser.Inspect(tree, func(node parser.Node, path []parser.Node) error {
		if sel, ok := node.(*parser.VectorSelector); ok && !elsewhere(sel) {
			f(sel, path)
		}
		return nil
	})
}

func elsewhere(sel *parser.VectorSelector) bool {
	return sel.OriginalOffset != 0 || sel.Timestamp != nil || sel.StartOrEnd != 0
}

// written is a selector of a metric with some matchers.
func written(name string, match ...*labels.Matcher) string {
	return (&parser.VectorSelector{Name: name, LabelMatchers: match}).String()
}

// reach is how far back a filled query looks through its ranges.
func reach(query string) time.Duration {
	var furthest time.Duration
	eachSelector(query, func(_ *parser.VectorSelector, path []parser.Node) { furthest = max(furthest, ranges(path)) })
	return furthest
}

// ranges adds up the ranges around a selector.
func ranges(path []parser.Node) time.Duration {
	var back time.Duration
	for _, above := range path {
		switch n := above.(type) {
		case *parser.MatrixSelector:
			back += n.Range
		case *parser.SubqueryExpr:
			if n.OriginalOffset != 0 || n.Timestamp != nil || n.StartOrEnd != 0 {
				return 0
			}
			back += n.Range
		}
	}
	return back
}

// nobodyHas says that no target has series of a selector.
func nobodyHas(query, selector string) source.Reading {
	return source.NoData(
		query, "none of the targets that are asked about has series such as %s: is a name misspelt, has the release renamed it, "+
			"or does the counter appear only with its first event?", source.Cut(loosened(selector), 80),
	)
}

// loosened is a selector of the same metric on any target, with any values of the labels that it
// asks for: it finds something unless a name is misspelt.
func loosened(selector string) string {
	tree, err := parse(selector)
	sel, ok := tree.(*parser.VectorSelector)
	if err != nil || !ok {
		return selector
	}
	loose, _ := loosen(sel, "", true)
	return written(sel.Name, loose...)
}

// loosen gives a selector's matchers any values of the labels that it asks for, or leaves them out;
// those of one label are kept apart.
func loosen(sel *parser.VectorSelector, keep string, labelled bool) (loose, kept []*labels.Matcher) {
	for _, m := range sel.LabelMatchers {
		switch {
		case m.Name == keep:
			kept = append(kept, m)
		case m.Name == model.MetricNameLabel:
			loose = append(loose, m)
		case labelled && !m.Matches(""):
			loose = append(loose, labels.MustNewMatcher(labels.MatchNotEqual, m.Name, ""))
		}
	}
	return loose, kept
}
