package promql

import (
	"slices"

	"github.com/prometheus/prometheus/promql/parser"
)

// By is a query without placeholders, of which sums keep a label: what it answers for all targets
// together it then answers for each. A query that cannot be read, or that sums in another way,
// stays as it is.
func By(query, label string) string {
	tree, err := parse(query)
	if err != nil {
		return query
	}
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok && a.Op == parser.SUM && !a.Without && !slices.Contains(a.Grouping, label) {
			a.Grouping = append(slices.Clone(a.Grouping), label)
		}
		return nil
	})
	return tree.String()
}
