package sequential

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGridReference(t *testing.T) {
	t.Parallel()
	g := NewGrid(1, Ratios(), Equal(7), Start{})
	g.See(Pair{Exposed: Counts{7, 1}, Control: Counts{3, 1}})
	require.InDelta(t, 0.29518473, g.Evidence(), 1e-8)
	g.See(Pair{Exposed: Counts{3, 1}, Control: Counts{10, 4}})
	require.InDelta(t, -0.19138032, g.Evidence(), 1e-8)
}
