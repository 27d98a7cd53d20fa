package promql

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// rates are functions that answer how fast something changes, or another number that is no count.
var rates = []string{
	"rate", "irate", "deriv", "idelta", "predict_linear", "histogram_quantile", "histogram_avg", "histogram_fraction",
	"avg_over_time", "min_over_time", "max_over_time", "last_over_time", "quantile_over_time", "stddev_over_time", "stdvar_over_time",
}

// counters are the ends of names of metrics that count since their program started.
var counters = []string{"_total", "_count", "_bucket"}

// Counts says whether an expression with placeholders may count events: one that asks how fast they
// come, what share they are, or how many there were since a program started, is an error. The error
// is an *Error, and also what Check says of the expression.
func Counts(expr string) error {
	t, err := checkTemplate(expr, samples)
	if err != nil {
		return err
	}
	var at parser.Expr
	what := ""
	parser.Inspect(t.tree, func(n parser.Node, path []parser.Node) error {
		if e, ok := n.(parser.Expr); ok && at == nil {
			if what = noCount(e, path); what != "" {
				at = e
			}
		}
		return nil
	})
	if at == nil {
		return nil
	}
	return t.errAt(at,
		"%s does not count events, expected increase(…[$window]), such as sum(increase(http_requests_total{$exposed}[$window]))", what)
}

// noCount names what of an expression is no count of events in a span of time; empty where nothing
// says so.
func noCount(e parser.Expr, path []parser.Node) string {
	switch n := e.(type) {
	case *parser.Call:
		if slices.Contains(rates, n.Func.Name) {
			return n.Func.Name
		}
	case *parser.BinaryExpr:
		if n.Op == parser.DIV && n.LHS.Type() == parser.ValueTypeVector && n.RHS.Type() == parser.ValueTypeVector {
			return "a quotient"
		}
	case *parser.VectorSelector:
		ranged := slices.ContainsFunc(path, func(above parser.Node) bool { return !plain(above) })
		switch {
		case strings.Contains(n.Name, ":rate") || strings.Contains(n.Name, ":irate"):
			return n.Name
		case !ranged && slices.ContainsFunc(counters, func(end string) bool { return strings.HasSuffix(n.Name, end) }):
			return fmt.Sprintf("%s by itself, which grows since its program started,", n.Name)
		}
	}
	return ""
}

// plain says that what stands in an expression above a series leaves its numbers as they are, or
// adds them up. What is compared, or only filters, counts something else.
func plain(n parser.Node) bool {
	switch n := n.(type) {
	case *parser.ParenExpr, *parser.UnaryExpr:
		return true
	case *parser.AggregateExpr:
		return n.Op != parser.COUNT && n.Op != parser.GROUP && n.Op != parser.COUNT_VALUES
	case *parser.BinaryExpr:
		return n.Op == parser.LOR || !n.Op.IsSetOperator() && !n.Op.IsComparisonOperator()
	}
	return false
}

// Ranges are the lengths of the ranges that an expression with placeholders asks for, ascending,
// with window in the place of $window; none for one that Check refuses.
func Ranges(expr string, window time.Duration) []time.Duration {
	values := samples
	values.Window = window
	t, err := checkTemplate(expr, values)
	if err != nil {
		return nil
	}
	var out []time.Duration
	parser.Inspect(t.tree, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.MatrixSelector:
			out = append(out, n.Range)
		case *parser.SubqueryExpr:
			out = append(out, n.Range)
		}
		return nil
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// Keeps says whether an expression with placeholders answers series that still have a label, as its
// metrics have it: one that an aggregation or an operator drops, or that the expression makes
// itself, is an error. The error is an *Error, and also what Check says of the expression.
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
