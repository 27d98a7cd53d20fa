package promql

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBy(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		`sum(increase(http_requests_total{instance=~"a|b"}[1m]))`: `sum by (instance) (increase(http_requests_total{instance=~"a|b"}[1m]))`,
		`sum by (instance) (x)`:                                   `sum by (instance) (x)`,
		`sum by (job) (x) + sum(y)`:                               `sum by (job, instance) (x) + sum by (instance) (y)`,
		`sum without (code) (x)`:                                  `sum without (code) (x)`,
		`x`:                                                       `x`,
		`no query (`:                                              `no query (`,
	} {
		require.Equal(t, want, By(query, "instance"))
	}
}
