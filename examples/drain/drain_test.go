// Package drain tests the example.
package drain

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/catalog"
	"github.com/sluicehq/sluice/internal/driver"
	"github.com/sluicehq/sluice/internal/fleet"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/spec"
)

// A host is out of a real HAProxy while it is switched, once its requests have ended, and is in
// again afterwards, whatever came of it.
func TestSwitch(t *testing.T) {
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
	for _, program := range []string{"haproxy", "curl"} {
		if _, err := exec.LookPath(program); err != nil && os.Getenv("SLUICE_REQUIRE_E2E") == "" {
			t.Skipf("not run: %v", err)
		}
	}
	dir := t.TempDir()
	ports, err := stack.FreePorts(t.Context(), 2)
	require.NoError(t, err)
	traffic, admin := stack.Loopback(ports[0]), stack.Loopback(ports[1])
	began, ends := make(chan struct{}, 1), make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			began <- struct{}{}
			<-ends
		}
		_, _ = fmt.Fprint(w, "ok")
	}))
	t.Cleanup(web.Close)
	write := func(name, text string, mode os.FileMode) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), mode))
	}
	write("haproxy.cfg", fmt.Sprintf(`global
	stats socket ipv4@%s level admin
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
frontend in
	bind %s
	default_backend edge
backend edge
	server web-1 %s
`, admin, traffic, web.Listener.Addr()), 0o644)
	balancer := stack.NewProcess("haproxy", t.Output(), "haproxy", "-db", "-f", filepath.Join(dir, "haproxy.cfg"))
	require.NoError(t, balancer.Start())
	t.Cleanup(balancer.Stop)

	program, err := os.ReadFile("switch")
	require.NoError(t, err)
	write("switch", strings.Replace(string(program), "balancer=127.0.0.1:9999", "balancer="+admin, 1), 0o755)
	// The host: ssh runs its programs here.
	write("bin/ssh", "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\ncd '"+dir+"/host' && exec sh -c \".$*\"\n", 0o755)
	write("host/srv/edge/observe", "#!/bin/sh\ncat release\necho fence=$(cat fence)\n", 0o755)
	write("host/srv/edge/install", "#!/bin/sh\ncase $1 in bad) exit 65;; esac\necho $1 >release; echo $2 >fence\n"+
		"printf 'show stat\\n' | curl -s telnet://"+admin+" | grep ^edge,web-1 >stat\n", 0o755)
	write("host/release", "1.0.0\n", 0o644)
	write("host/fence", "7\n", 0o644)
	t.Setenv("PATH", filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))

	d, err := catalog.New().Drivers.New(spec.Driver{Choice: spec.Choose("exec", driver.Exec{
		Observe: []string{filepath.Join(dir, "switch"), "observe", "{{id}}"},
		Apply:   []string{filepath.Join(dir, "switch"), "apply", "{{id}}", "{{release}}", "{{fence}}"}, Timeout: spec.Duration(time.Minute),
	})}, nil)
	require.NoError(t, err)
	target := fleet.Target{ID: "web-1"}
	get := func(path string) (string, error) {
		res, err := http.Get("http://" + traffic + path)
		if err != nil {
			return "", err
		}
		return res.Status, res.Body.Close()
	}
	require.Eventually(t, func() bool { _, err := get("/"); return err == nil }, 10*time.Second, 20*time.Millisecond)

	slow := make(chan string, 1)
	go func() {
		status, err := get("/slow")
		slow <- fmt.Sprint(status, err)
	}()
	<-began
	applied := make(chan error, 1)
	go func() {
		applied <- d.Apply(t.Context(), target, driver.Order{Unit: "edge", Release: "2.0.0", Fence: 8})
	}()
	require.Eventually(t, func() bool { status, err := get("/"); return err == nil && strings.HasPrefix(status, "503") }, 10*time.Second, 20*time.Millisecond,
		"no new request reaches the host")
	state, err := d.Observe(t.Context(), target, "edge")
	require.NoError(t, err)
	require.Equal(t, "1.0.0", state.Release, "it waits for the request")
	close(ends)
	require.Equal(t, "200 OK<nil>", <-slow)
	require.NoError(t, <-applied)
	state, err = d.Observe(t.Context(), target, "edge")
	require.NoError(t, err)
	require.Equal(t, driver.State{Release: "2.0.0", Fence: 8, Alive: true}, state)
	stat, err := os.ReadFile(filepath.Join(dir, "host/stat"))
	require.NoError(t, err)
	require.Contains(t, string(stat), ",DRAIN,", "while it is switched")
	status, err := get("/")
	require.NoError(t, err)
	require.Equal(t, "200 OK", status)

	require.ErrorIs(t, d.Apply(t.Context(), target, driver.Order{Unit: "edge", Release: "1.0.0", Fence: 6}), driver.ErrFenced)
	require.ErrorIs(t, d.Apply(t.Context(), target, driver.Order{Unit: "edge", Release: "bad", Fence: 9}), driver.ErrRefused)
	require.ErrorIs(t, d.Apply(t.Context(), target, driver.Order{Unit: "edge", Release: "1;touch${IFS}x", Fence: 9}), driver.ErrRefused)
	status, err = get("/")
	require.NoError(t, err)
	require.Equal(t, "200 OK", status, "it serves again")
}
