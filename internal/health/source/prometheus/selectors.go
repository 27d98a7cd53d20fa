package prometheus

import (
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/sluicehq/sluice/internal/health/source"
)

// reach is how far back a filled query looks through its ranges. What it looks at
// with an offset or at a time of its own is asked for on purpose, and not counted.
func reach(query string) time.Duration {
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return 0
	}
	var furthest time.Duration
	parser.Inspect(tree, func(node parser.Node, path []parser.Node) error {
		if sel, ok := node.(*parser.VectorSelector); ok && sel.OriginalOffset == 0 && sel.Timestamp == nil && sel.StartOrEnd == 0 {
			furthest = max(furthest, ranges(path))
		}
		return nil
	})
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

// loosened is a selector of the same metric on any target, with any values of the
// labels that it asks for: it finds something unless a name is misspelt.
func loosened(selector string) string {
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(selector)
	sel, ok := tree.(*parser.VectorSelector)
	if err != nil || !ok {
		return selector
	}
	var loose []*labels.Matcher
	for _, m := range sel.LabelMatchers {
		switch {
		case m.Name == model.MetricNameLabel:
			loose = append(loose, m)
		case !m.Matches(""):
			loose = append(loose, labels.MustNewMatcher(labels.MatchNotEqual, m.Name, ""))
		}
	}
	return (&parser.VectorSelector{Name: sel.Name, LabelMatchers: loose}).String()
}
