package connect

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bare removes whatever the environment of the test says about Temporal.
func bare(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "TEMPORAL_PROFILE", "TEMPORAL_TLS",
	} {
		t.Setenv(name, "")
		require.NoError(t, os.Unsetenv(name))
	}
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
}

func TestOptionsPrecedence(t *testing.T) {
	bare(t)
	o, _, err := Options{}.client()
	require.NoError(t, err)
	require.Equal(t, DefaultAddress, o.HostPort)
	require.Equal(t, "default", o.Namespace)
	require.Nil(t, o.ConnectionOptions.TLS)

	file := filepath.Join(t.TempDir(), "temporal.toml")
	require.NoError(t, os.WriteFile(file, []byte("[profile.prod]\naddress = \"prod:7233\"\nnamespace = \"edge\"\napi_key = \"k\"\n"), 0o600))
	t.Setenv("TEMPORAL_CONFIG_FILE", file)
	o, _, err = Options{Profile: "prod"}.client()
	require.NoError(t, err)
	require.Equal(t, "prod:7233", o.HostPort)
	require.Equal(t, "edge", o.Namespace)
	require.NotNil(t, o.ConnectionOptions.TLS, "an API key asks for TLS")

	t.Setenv("TEMPORAL_ADDRESS", "env:7233")
	o, _, err = Options{Profile: "prod"}.client()
	require.NoError(t, err)
	require.Equal(t, "env:7233", o.HostPort)

	o, _, err = Options{Profile: "prod", Address: "flag:7233", Namespace: "other"}.client()
	require.NoError(t, err)
	require.Equal(t, "flag:7233", o.HostPort)
	require.Equal(t, "other", o.Namespace)

	_, namespace, err := Options{Profile: "prod"}.Resolved()
	require.NoError(t, err)
	require.Equal(t, "edge", namespace)

	_, _, err = Options{Profile: "nowhere"}.client()
	require.ErrorContains(t, err, "nowhere")
}

func TestOptionsTLS(t *testing.T) {
	bare(t)
	o, _, err := Options{TLS: true}.client()
	require.NoError(t, err)
	require.NotNil(t, o.ConnectionOptions.TLS)
}

func TestDialSaysWhatToDo(t *testing.T) {
	bare(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = Dial(ctx, Options{Address: address})
	var unreachable *UnreachableError
	require.ErrorAs(t, err, &unreachable)
	require.Equal(t, address, unreachable.Address)
	require.ErrorContains(t, err, "make dev")
	require.ErrorContains(t, err, "TEMPORAL_ADDRESS")
}

// The usual mistakes in an address are named, and not only what gRPC makes of them.
func TestDialNamesTheMistake(t *testing.T) {
	bare(t)
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(web.Close)
	at := web.Listener.Addr().String()
	for name, tc := range map[string]struct {
		o    Options
		want string
	}{
		"no port":      {Options{Address: "temporal"}, `"temporal" has no port, expected HOST:PORT, such as temporal:7233`},
		"a URL":        {Options{Address: "http://temporal:7233"}, `"http://temporal:7233" is a URL, expected HOST:PORT, such as temporal:7233`},
		"a path":       {Options{Address: "temporal:7233/x"}, `"temporal:7233/x" is no HOST:PORT`},
		"no such port": {Options{Address: "temporal:72333"}, `"temporal:72333" is no HOST:PORT`},
		"port by name": {Options{Address: "temporal:grpc"}, `"temporal:grpc" is no HOST:PORT`},
		"no such name": {Options{Address: "nowhere.invalid:7233"}, "the name nowhere.invalid is not known"},
		"a web server": {Options{Address: at}, "what answers there speaks HTTP/1 and not gRPC: is it Temporal's Web UI?"},
		"TLS to plain": {Options{Address: at, TLS: true}, "what answers there speaks no TLS"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err := Dial(ctx, tc.o)
		cancel()
		require.ErrorContains(t, err, tc.want, name)
		require.ErrorContains(t, err, "TEMPORAL_ADDRESS", name)
	}
}

func TestDialCancelled(t *testing.T) {
	bare(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Dial(ctx, Options{Address: "127.0.0.1:1"})
	require.ErrorIs(t, err, context.Canceled)
}

func TestNames(t *testing.T) {
	require.Equal(t, "rollout:edge-proxy", WorkflowID("edge-proxy"))
	for _, d := range []Deployment{"", "payments", "p2-x"} {
		require.NoError(t, d.Check())
		require.Equal(t, d, DeploymentOf(d.TaskQueue()))
		for _, other := range []Deployment{"", "payments", "p2-x"} {
			unit, ok := d.UnitOf(other.WorkflowID("edge-proxy"))
			require.Equal(t, d == other, ok, "%s is not %s's", other.WorkflowID("edge-proxy"), d)
			require.True(t, !ok || unit == "edge-proxy")
			require.Equal(t, d == other, d.TaskQueue() == other.TaskQueue() || d.RollbackQueue() == other.RollbackQueue())
		}
	}
	require.Equal(t, "sluice-rollback", Deployment("").RollbackQueue(), "rollouts that run go on")
	require.Equal(t, "payments/rollout:edge-proxy", Deployment("payments").WorkflowID("edge-proxy"))
	for _, wrong := range []Deployment{"Payments", "a/b", "a:b", "-a", "a b", Deployment(strings.Repeat("a", 33))} {
		require.ErrorContains(t, wrong.Check(), "expected 1 to 32")
	}
	require.Contains(t, CreateAttributes("default"), "--name SluiceUnit --type Keyword")
	require.Len(t, Attributes(), 6)
}

// The compose file makes the same search attributes as the command that users are shown.
func TestComposeFileCreatesAttributes(t *testing.T) {
	text, err := os.ReadFile("../../docker-compose.yml")
	require.NoError(t, err)
	require.Contains(t, string(text), CreateAttributes("default"))
}
