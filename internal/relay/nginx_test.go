package relay

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/relay/order"
)

const nginxConfig = `daemon off; pid %[1]s/pid; error_log %[1]s/error.log; events {}
http {
  access_log off; client_max_body_size 300m;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/temp; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  proxy_cache_path %[1]s/cache keys_zone=relay:1m;
  server {
    listen %[2]s;
    location / { proxy_pass http://%[3]s; proxy_cache relay; add_header X-Cache $upstream_cache_status; }
  }
}
`

// behindNginx starts a real nginx that caches what it may, and answers its URL.
func behindNginx(t *testing.T, upstream string) string {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	config := fmt.Sprintf(nginxConfig, dir, address, upstream)
	if os.Geteuid() == 0 { // its workers would be nobody, who may not read the folder
		config = "user root; " + config
	}
	file := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	cmd := exec.CommandContext(t.Context(), program, "-c", file, "-p", dir, "-e", filepath.Join(dir, "error.log"))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + address + "/healthz")
		return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	}, 10*time.Second, 20*time.Millisecond)
	return "http://" + address + "/sluice/v1/"
}

// Through a cache, a bundle is fetched once, and an order is never an old one: it waits as it does
// without.
func TestThroughNginx(t *testing.T) {
	r := newRig(t)
	where := behindNginx(t, strings.TrimPrefix(r.URL, "http://"))
	b, whole := piece(t)
	require.Equal(t, 404, ask(t, "GET", where+"bundles/"+b.Release(), nil).StatusCode)
	require.Equal(t, 201, ask(t, "PUT", where+"bundles/"+b.Release(), whole).StatusCode)
	for _, want := range []string{"MISS", "HIT", "HIT"} {
		got := ask(t, "GET", where+"bundles/"+b.Release(), nil, "Authorization", "Bearer x")
		require.Equal(t, want, got.Header.Get("X-Cache"))
		require.Equal(t, string(whole), body(t, got))
	}
	have := ""
	for fence := range int64(3) {
		waits := make(chan string, 1)
		go func() {
			waits <- get(t.Context(), where+mine+"?wait=20&have="+have)
		}()
		document := r.document(fence)
		require.Equal(t, 204, ask(t, "PUT", where+mine, document).StatusCode)
		require.Equal(t, string(document), <-waits)
		have = order.Tag(document)
		again := ask(t, "GET", where+mine+"?wait=1&have="+have, nil, "If-None-Match", `"`+have+`"`)
		require.Contains(t, []int{204, 304}, again.StatusCode)
	}
}
