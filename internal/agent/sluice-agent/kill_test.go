package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/agent"
	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/signature"
)

// What the test kills and how often; the seed chooses when, and what is ordered meanwhile.
const (
	kills = 100
	seed  = 20251118
)

// host is a machine with a real agent.
type host struct {
	t        *testing.T
	dir, url string
	binary   string
	releases map[string]bundle.Bundle
	program  *exec.Cmd
}

// The agent is killed at random moments while it carries out orders of all kinds. After each kill
// the link leads to the whole of a release; after each start never to one that the consumer does
// not confirm, and what was answered to be good is good.
func TestKilledAtRandom(t *testing.T) {
	t.Logf("seed %d, %d kills", seed, kills)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // the same on every run
	h := newHost(t)
	one, two, bad := h.release("one"), h.release("two"), h.release("bad", "unconfirmed")
	h.start()
	for name := range h.releases {
		require.Less(t, h.upload(name), 300)
	}
	h.stop()
	fence, good, found := 1, map[string]bool{}, map[string]int{}
	for range kills {
		h.start()
		moment := time.Duration(random.IntN(60)) * time.Millisecond
		ordered := make(chan struct{})
		ctx, enough := context.WithCancel(t.Context())
		go func() {
			defer close(ordered)
			for ctx.Err() == nil {
				name := []string{one, two, bad, ""}[random.IntN(4)]
				fence++
				if h.order(ctx, "", http.MethodPut, fence, name) == 204 && name != "" && h.order(ctx, "/settle", http.MethodPost, fence, name) == 204 {
					good[name] = true
				}
				if name == "" { // and settled: nothing is good any more
					clear(good)
					h.order(ctx, "/settle", http.MethodPost, fence, name)
				}
			}
		}()
		time.Sleep(moment)
		require.NoError(t, h.program.Process.Kill())
		_ = h.program.Wait()
		enough()
		<-ordered
		found[h.whole()]++

		h.start()
		require.Eventually(t, func() bool { return h.status().State != agent.Applying }, 10*time.Second, 5*time.Millisecond)
		s := h.status()
		require.NotEqual(t, bad, s.Release)
		require.Equal(t, s.Release, h.whole())
		for name := range good {
			require.Contains(t, s.Good, name)
		}
		h.stop()
	}
	h.start()
	fence++
	require.Equal(t, 204, h.order(t.Context(), "", http.MethodPut, fence, two))
	require.Equal(t, two, h.whole())
	h.stop()
	t.Logf("after the kills the link led %d times to one, %d to two, %d to bad, %d nowhere; fence %d", found[one], found[two], found[bad], found[""], fence)
}

// A real agent that asks for a signature takes none but a bundle with one, after a kill, too; what
// it runs it goes back to without.
func TestAsksForASignature(t *testing.T) {
	h := newHost(t)
	one, two := h.release("one"), h.release("two")
	h.start()
	require.Equal(t, 201, h.upload(one))
	require.Equal(t, 204, h.order(t.Context(), "", http.MethodPut, 1, one))
	h.stop()
	by, _, err := signature.Generate()
	require.NoError(t, err)
	settings, err := os.ReadFile(h.file("agent.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(h.file("bundle.pub"), []byte(by.Key().String()), 0o600))
	require.NoError(t, os.WriteFile(h.file("agent.yaml"), append(settings, "keys: [file:"+h.file("bundle.pub")+"]\n"...), 0o600))
	sign := func(unit string) string {
		s, err := by.Sign(unit, two)
		require.NoError(t, err)
		return base64.StdEncoding.EncodeToString(s)
	}
	for range 2 {
		h.start()
		require.Equal(t, 428, h.upload(two))
		require.Equal(t, 428, h.upload(two, sign("flags")))
		require.Equal(t, 428, h.order(t.Context(), "/prepare", http.MethodPost, 2, two))
		require.Equal(t, 428, h.order(t.Context(), "", http.MethodPut, 2, two))
		require.NoFileExists(t, h.file("agent/bundles/"+strings.TrimPrefix(two, "sha256:")))
		require.NoError(t, h.program.Process.Kill())
		_ = h.program.Wait()
		require.Equal(t, one, h.whole())
	}
	h.start()
	require.Equal(t, 201, h.upload(two, sign("features")))
	require.NoError(t, h.program.Process.Kill())
	_ = h.program.Wait()
	h.start()
	require.Equal(t, 204, h.order(t.Context(), "", http.MethodPut, 2, two))
	require.Equal(t, two, h.whole())
	require.Equal(t, 204, h.order(t.Context(), "", http.MethodPut, 3, one))
	require.Equal(t, one, h.whole())
	h.stop()
}

func newHost(t *testing.T) *host {
	t.Helper()
	dir := t.TempDir()
	h := &host{t: t, dir: dir, binary: filepath.Join(dir, "sluice-agent"), releases: map[string]bundle.Bundle{}}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", h.binary, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	address := freeAddress(t)
	h.url = "http://" + address
	yaml := fmt.Sprintf(`id: web-1
listen: %s
folder: %s/agent
units:
  features:
    to: %s/app
    check: [sh, -c, 'test -e "$0/version"', "{{dir}}"]
    reload: [sh, -c, 'cat %s/app/version 2>/dev/null || true']
    confirm: {command: [sh, -c, 'test ! -e "$0/unconfirmed"', "{{dir}}"], within: 10ms}
`, address, dir, dir, dir)
	require.NoError(t, os.WriteFile(h.file("agent.yaml"), []byte(yaml), 0o600))
	return h
}

// freeAddress has a port below those that connections get: while the agent is away, one of them
// could take it.
func freeAddress(t *testing.T) string {
	t.Helper()
	for port := 20_000 + os.Getpid()%5000; port < 32_000; port++ {
		address := "127.0.0.1:" + strconv.Itoa(port)
		if l, err := net.Listen("tcp", address); err == nil {
			require.NoError(t, l.Close())
			return address
		}
	}
	require.Fail(t, "no port is free")
	return ""
}

func (h *host) file(name string) string { return filepath.Join(h.dir, name) }

func (h *host) release(files ...string) string {
	h.t.Helper()
	dir := h.t.TempDir()
	for _, name := range append([]string{"version"}, files[1:]...) {
		require.NoError(h.t, os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat(files[0]+"\n", 1000)), 0o600))
	}
	var archive bytes.Buffer
	b, err := bundle.Build(h.t.Context(), dir, &archive)
	require.NoError(h.t, err)
	upload := binary.BigEndian.AppendUint64(nil, uint64(len(b.Config())))
	upload = append(append(upload, b.Config()...), archive.Bytes()...)
	require.NoError(h.t, os.WriteFile(h.file(b.Release()), upload, 0o600))
	h.releases[b.Release()] = b
	return b.Release()
}

func (h *host) start() {
	h.t.Helper()
	h.program = exec.Command(h.binary, "--config", h.file("agent.yaml"))
	var said bytes.Buffer
	h.program.Stderr = &said
	require.NoError(h.t, h.program.Start())
	p := h.program
	h.t.Cleanup(func() { _ = p.Process.Kill() })
	up := func() bool {
		resp, err := http.Get(h.url + "/healthz")
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil
	}
	for began := time.Now(); !up(); time.Sleep(2 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			_ = p.Process.Kill()
			_ = p.Wait()
			require.Fail(h.t, "no agent", said.String())
		}
	}
}

// stop ends the agent as systemd does.
func (h *host) stop() {
	h.t.Helper()
	require.NoError(h.t, h.program.Process.Signal(os.Interrupt))
	require.NoError(h.t, h.program.Wait())
}

func (h *host) upload(name string, signatures ...string) int {
	body, err := os.ReadFile(h.file(name))
	require.NoError(h.t, err)
	return h.ask(h.t.Context(), http.MethodPut, "bundles/"+name, 0, body, signatures...)
}

func (h *host) order(ctx context.Context, step, method string, fence int, name string) int {
	return h.ask(ctx, method, "units/features"+step, fence, []byte(`{"release":"`+name+`"}`))
}

// ask answers a status; 0 where nobody answers.
func (h *host) ask(ctx context.Context, method, path string, fence int, body []byte, signatures ...string) int {
	req, err := http.NewRequestWithContext(ctx, method, h.url+"/sluice/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("Sluice-Fence", strconv.Itoa(fence))
	req.Header.Set("Content-Type", bundle.MediaType)
	req.Header[signature.Header] = signatures
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func (h *host) status() (s agent.Status) {
	h.t.Helper()
	resp, err := http.Get(h.url + "/sluice/v1/units/features")
	require.NoError(h.t, err)
	defer resp.Body.Close()
	require.NoError(h.t, json.NewDecoder(resp.Body).Decode(&s))
	return s
}

// whole answers the release that the link leads to, all of whose files are as they were; empty
// where there is no link.
func (h *host) whole() string {
	h.t.Helper()
	dir, err := os.Readlink(h.file("app"))
	if os.IsNotExist(err) {
		return ""
	}
	require.NoError(h.t, err)
	root, err := os.OpenRoot(dir)
	require.NoError(h.t, err)
	defer root.Close()
	name := "sha256:" + filepath.Base(dir)
	require.NoError(h.t, h.releases[name].Drift(root))
	return name
}
