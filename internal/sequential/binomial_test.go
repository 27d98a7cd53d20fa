package sequential_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/sequential"
)

func TestBinomialTail(t *testing.T) {
	for _, tc := range []struct{ k, n, p, want float64 }{
		{1, 1, 0.25, 0.25},
		{2, 2, 0.5, 0.25},
		{1, 10, 0.01, 1 - math.Pow(0.99, 10)},
		{5, 100, 0.01, 0.0034322},
		{60, 100, 0.5, 0.028444},
		{0, 10, 0.5, 1},
		{5, 10, 0.5, 1},
		{3, 10, 1, 1},
		{20_000, 1e6, 0.02, 1},
		{20_420, 1e6, 0.02, 0.0014068},
		{1, 10, 0, 0},
		{11, 10, 0.5, 0},
		{510_000, 1e6, 0.5, 0},
		{2.1e10, 1e12, 0.02, 0},
		{9e17, 1e18, 0.02, 0},
	} {
		require.InDelta(t, tc.want, sequential.BinomialTail(tc.k, tc.n, tc.p), 1e-5+tc.want*1e-2, "%+v", tc)
	}
}
