package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Two deployments in one namespace: neither takes, shows nor aborts what is the other's.
func TestTwoDeployments(t *testing.T) {
	t.Parallel()
	d := deploy(t, 6)
	mine := d.spec("2.0.0", "1s", "")
	started := d.sluice(0, "start", mine, "--deployment", "payments")
	require.Contains(t, started.Stdout, "started")
	require.NotContains(t, d.sluice(0, "list").Stdout, unit)
	require.Contains(t, d.sluice(0, "list", "--deployment", "payments").Stdout, unit)
	d.sluice(2, "abort", unit)
	d.sluice(7, "watch", unit, "--deployment", "payments", "--timeout", "6s") // no worker of its own yet
	orders, err := d.Orders(t.Context())
	require.NoError(t, err)
	require.Empty(t, orders)
	_, err = d.Worker("--deployment", "payments")
	require.NoError(t, err)
	d.sluice(0, "watch", unit, "--deployment", "payments", "--timeout", "2m")
	wrong, err := d.LeftWrong(t.Context(), "2.0.0")
	require.NoError(t, err)
	require.Zero(t, wrong)
}
