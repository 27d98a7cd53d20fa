package promql

import (
	"slices"

	"github.com/prometheus/prometheus/promql/parser"
)

// rates are functions that answer how fast something changes, or another number that
// is no count.
var rates = []string{"rate", "irate", "deriv", "idelta", "histogram_quantile", "histogram_avg", "histogram_fraction"}

// Counts says whether an expression with placeholders may count events: one that asks
// how fast they come is an error. The error is an *Error, and also what Check says of the
// expression.
func Counts(expr string) error {
	t, err := checkTemplate(expr, samples)
	if err != nil {
		return err
	}
	var call *parser.Call
	parser.Inspect(t.tree, func(n parser.Node, _ []parser.Node) error {
		if c, ok := n.(*parser.Call); ok && call == nil && slices.Contains(rates, c.Func.Name) {
			call = c
		}
		return nil
	})
	if call == nil {
		return nil
	}
	return t.errAt(call,
		"%s does not count events, expected increase(…[$window]), such as sum(increase(http_requests_total{$exposed}[$window]))", call.Func.Name)
}

// Keeps says whether an expression with placeholders answers series that still
// have a label, as its metrics have it: one that an aggregation or an operator
// drops, or that the expression makes itself, is an error. The error is an *Error,
// and also what Check says of the expression.
func Keeps(expr, label string) error {
	t, err := checkTemplate(expr, samples)
	if err != nil {
		return err
	}
	node, why := loses(t.tree, label)
	if node == nil {
		return nil
	}
	return t.errAt(node, "%s, expected a series of each target that keeps the label %s, such as sum by (%s) (…)", why, label, label)
}

// loses finds where an expression drops a label, and how; nil if it keeps it.
func loses(e parser.Expr, label string) (parser.Expr, string) {
	switch n := e.(type) {
	case *parser.VectorSelector:
		return nil, ""
	case *parser.MatrixSelector:
		return loses(n.VectorSelector, label)
	case *parser.SubqueryExpr:
		return loses(n.Expr, label)
	case *parser.ParenExpr:
		return loses(n.Expr, label)
	case *parser.UnaryExpr:
		return loses(n.Expr, label)
	case *parser.AggregateExpr:
		return aggregateLoses(n, label)
	case *parser.Call:
		return callLoses(n, label)
	case *parser.BinaryExpr:
		return binaryLoses(n, label)
	default:
		return e, "this is " + construct(e)
	}
}

func aggregateLoses(n *parser.AggregateExpr, label string) (parser.Expr, string) {
	switch n.Op {
	case parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO:
		return n, "the aggregation " + n.Op.String() + " leaves targets out"
	case parser.COUNT_VALUES:
		return n, "the aggregation " + n.Op.String() + " counts targets"
	default:
	}
	if slices.Contains(n.Grouping, label) == n.Without {
		return n, "the aggregation " + n.Op.String() + " drops the label"
	}
	return loses(n.Expr, label)
}

func callLoses(n *parser.Call, label string) (parser.Expr, string) {
	switch n.Func.Name {
	case "absent", "absent_over_time", "vector", "scalar":
		return n, "the function " + n.Func.Name + " drops the label"
	case "label_replace", "label_join":
		if to, ok := n.Args[1].(*parser.StringLiteral); ok && to.Val == label {
			return n, "the function " + n.Func.Name + " replaces the label"
		}
	}
	for _, arg := range n.Args {
		if t := arg.Type(); t == parser.ValueTypeVector || t == parser.ValueTypeMatrix {
			return loses(arg, label)
		}
	}
	return n, "the function " + n.Func.Name + " asks no series"
}

func binaryLoses(n *parser.BinaryExpr, label string) (parser.Expr, string) {
	left, right := n.LHS.Type() == parser.ValueTypeVector, n.RHS.Type() == parser.ValueTypeVector
	switch {
	case left && !right:
		return loses(n.LHS, label)
	case right && !left:
		return loses(n.RHS, label)
	case !left:
		return n, "this is a number"
	case n.Op == parser.LAND || n.Op == parser.LUNLESS:
		return loses(n.LHS, label)
	}
	if at, why := loses(n.LHS, label); at != nil {
		return at, why
	}
	if at, why := loses(n.RHS, label); at != nil {
		return at, why
	}
	if m := n.VectorMatching; n.Op != parser.LOR && slices.Contains(m.MatchingLabels, label) != m.On {
		return n, "the operator " + n.Op.String() + " matches series of different targets"
	}
	return nil, ""
}
