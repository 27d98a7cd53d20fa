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
	pieces, tree, err := checkTemplate(expr, samples)
	if err != nil {
		return err
	}
	var call *parser.Call
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		if c, ok := n.(*parser.Call); ok && call == nil && slices.Contains(rates, c.Func.Name) {
			call = c
		}
		return nil
	})
	if call == nil {
		return nil
	}
	_, origins, err := render(pieces, samples)
	if err != nil {
		return err
	}
	return errAt(
		origin(origins, int(call.PositionRange().Start)),
		"%s does not count events, expected increase(…[$window]), such as sum(increase(http_requests_total{$exposed}[$window]))",
		call.Func.Name,
	)
}
