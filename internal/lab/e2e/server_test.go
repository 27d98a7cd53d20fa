package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/lab/stack"
)

// A server that runs already is used in a namespace of its own, which is made where there is none,
// and made once.
func TestJoin(t *testing.T) {
	t.Parallel()
	host, err := stack.Start(t.Context(), programs(t), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(host.Close)
	guest := stack.New(programs(t), t.TempDir())
	t.Cleanup(guest.Close)
	require.NoError(t, guest.Join(t.Context(), host.Address, "guests"))
	require.NoError(t, guest.Join(t.Context(), host.Address, "guests"), "it is there now")
	promoteOne(t, guest)
}

// A stand-in for the temporal CLI, which understands its flags and starts the embedded server.
const temporalCLI = `#!/bin/sh
[ "$1 $2" = "server start-dev" ] || exit 2
shift 2
while [ $# -gt 0 ]; do
  case "$1" in
    --port) port=$2 ;;
    --ui-port) ui=$2 ;;
    --db-filename) db=$2 ;;
    --search-attribute) attributes="$attributes $2" ;;
    --namespace | --log-level) ;;
    *) exit 2 ;;
  esac
  shift 2
done
[ "$attributes" = " SluiceUnit=Keyword SluiceRelease=Keyword SluiceStage=Keyword SluicePhase=Keyword SluiceOutcome=Keyword SluiceNumber=Keyword" ] || exit 3
exec "$SLUICE_DEVSTACK" --port "$port" --ui-port "$ui" --db "$db" --exit-with-parent
`

// The temporal CLI's server can be used, killed and started again.
func TestCLIServer(t *testing.T) {
	t.Parallel()
	s := stack.New(programs(t), t.TempDir())
	t.Cleanup(s.Close)
	program := filepath.Join(t.TempDir(), "temporal")
	require.NoError(t, os.WriteFile(program, []byte(temporalCLI), 0o700)) //nolint:gosec // it is run
	require.NoError(t, s.StartCLI(t.Context(), program))
	s.Temporal.Kill()
	require.NoError(t, s.RestartTemporal(t.Context()))
	promoteOne(t, s)
}

// promoteOne takes a rollout through a stack that has only a server so far.
func promoteOne(t *testing.T, s *stack.Stack) {
	t.Helper()
	t.Cleanup(func() { logsOf(t, s) })
	require.NoError(t, s.Simulate(t.Context(), 3, unit, "1.0.0", "--rps-per-target", "40"))
	_, err := s.Worker()
	require.NoError(t, err)
	spec := filepath.Join(s.Dir, "rollout.yaml")
	require.NoError(t, os.WriteFile(spec, []byte(`unit: edge-proxy
release: 1.1.0
fleet: fleet.yaml
driver: {http: {}}
stages: [{name: all, reach: 100%, bake: 2s}]
health:
  scrape: {baseline: 1s}
  every: 500ms
  checks: [{name: errors, bad: 'http_requests_total{code=~"5.."}', total: http_requests_total, max: 10%}]
`), 0o600))
	ran, err := s.Sluice(t.Context(), "start", "--wait", spec)
	require.NoError(t, err)
	require.Zero(t, ran.Code, "%s%s", ran.Stdout, ran.Stderr)
}
