package promql

import (
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Selectors lists the series that a filled expression reads, as vector selectors without range and
// offset, in order of appearance and without repetition. A caller asks them how fresh their newest
// samples are.
func Selectors(filled string) ([]string, error) {
	tree, err := parse(filled)
	if err != nil {
		return nil, err
	}
	var found []string
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		if n, ok := node.(*parser.VectorSelector); ok {
			bare := parser.VectorSelector{Name: n.Name, LabelMatchers: n.LabelMatchers}
			if s := bare.String(); !slices.Contains(found, s) {
				found = append(found, s)
			}
		}
		return nil
	})
	return found, nil
}

// ParseSelector reads an expression for a scrape: a metric's name with label matchers, and nothing
// else. The matchers are those besides the name's. The error is an *Error.
func ParseSelector(expr string) (name string, matchers []*labels.Matcher, err error) {
	if err := noPlaceholder(expr, "since a scrape reads each target on its own and already knows which arm it is on"); err != nil {
		return "", nil, err
	}
	tree, err := parse(expr)
	if err != nil {
		return "", nil, err
	}
	const expected = "expected a metric with label matchers and nothing else, such as http_requests_total{code=~\"5..\"}, " +
		"since a scrape is read without a Prometheus"
	sel, ok := tree.(*parser.VectorSelector)
	if !ok {
		return "", nil, errAt(int(tree.PositionRange().Start), "this is %s, %s", construct(tree), expected)
	}
	start := int(sel.PosRange.Start)
	switch {
	case sel.OriginalOffset != 0 || sel.OriginalOffsetExpr != nil || sel.Timestamp != nil || sel.StartOrEnd != 0:
		return "", nil, errAt(start, "the selector has an offset or a time, %s", expected)
	case sel.Anchored || sel.Smoothed:
		return "", nil, errAt(start, "the selector is anchored or smoothed, %s", expected)
	}
	for _, m := range sel.LabelMatchers {
		switch {
		case m.Name != model.MetricNameLabel:
			matchers = append(matchers, m)
		case m.Type == labels.MatchEqual && name == "":
			name = m.Value
		default:
			return "", nil, errAt(start, "the selector matches several metric names, %s", expected)
		}
	}
	if name == "" {
		return "", nil, errAt(start, "the selector has no metric name, %s", expected)
	}
	return name, matchers, nil
}

// CheckSeries says whether an expression lists series: it parses, has no placeholders, and
// evaluates to an instant vector. The error is an *Error.
func CheckSeries(expr string) error {
	if err := noPlaceholder(expr, "since there are no targets yet"); err != nil {
		return err
	}
	tree, err := parse(expr)
	if err != nil {
		return err
	}
	if tree.Type() != parser.ValueTypeVector {
		return errAt(int(tree.PositionRange().Start),
			"the expression gives a %s, expected an instant vector with a series for each target, such as up{job=\"edge\"}",
			parser.DocumentedType(tree.Type()))
	}
	return nil
}

// noPlaceholder refuses placeholders where there is nothing to fill in.
func noPlaceholder(expr, why string) error {
	pieces, err := split(expr)
	if err != nil {
		return err
	}
	for _, p := range pieces {
		if p.name != "" {
			return errAt(p.offset, "$%s is a placeholder, expected none, %s", p.name, why)
		}
	}
	return nil
}

// construct names what an expression is, for a message.
func construct(tree parser.Expr) string {
	switch n := tree.(type) {
	case *parser.Call:
		return "the function " + n.Func.Name
	case *parser.AggregateExpr:
		return "the aggregation " + n.Op.String()
	case *parser.MatrixSelector:
		return "a range"
	case *parser.BinaryExpr, *parser.UnaryExpr:
		return "a calculation"
	case *parser.SubqueryExpr:
		return "a subquery"
	case *parser.NumberLiteral:
		return "a number"
	case *parser.StringLiteral:
		return "a string"
	case *parser.ParenExpr:
		return "in parentheses"
	default:
		return "not a selector"
	}
}
