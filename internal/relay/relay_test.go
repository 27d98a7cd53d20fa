package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/bundle/signature"
	"github.com/sluicehq/sluice/internal/relay/order"
	"github.com/sluicehq/sluice/internal/store"
)

func newSigner(t testing.TB) signature.Signer {
	t.Helper()
	s, _, err := signature.Generate()
	require.NoError(t, err)
	return s
}

// rig is a relay that serves anybody.
type rig struct {
	*httptest.Server
	t      testing.TB
	folder string
	by     signature.Signer
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, folder: t.TempDir(), by: newSigner(t)}
	r.Server = httptest.NewServer(open(t, r.folder).Handler())
	t.Cleanup(r.Close)
	return r
}

func open(t testing.TB, folder string) *Relay {
	t.Helper()
	s, err := store.Dir(filepath.Join(folder, "store"))
	require.NoError(t, err)
	return New(folder, s, slog.New(slog.DiscardHandler))
}

func (r *rig) document(fence int64, change ...func(*order.Document)) []byte {
	r.t.Helper()
	d := order.Document{
		Unit: "features", Cohort: "eu", Selector: []string{"web-1"}, Step: order.Apply,
		Release: "sha256:" + strings.Repeat("a", 64), Fence: fence, NotAfter: time.Now().Add(time.Minute),
	}
	for _, f := range change {
		f(&d)
	}
	data, err := d.Sign(r.by)
	require.NoError(r.t, err)
	return data
}

func (r *rig) ask(method, path string, body []byte, header ...string) *http.Response {
	r.t.Helper()
	return ask(r.t, method, r.URL+"/sluice/v1/"+path, body, header...)
}

func ask(t testing.TB, method, where string, body []byte, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, where, bytes.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return resp
}

func body(t testing.TB, resp *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(data)
}

const mine = "orders/features/eu/web-1"

func TestOrders(t *testing.T) {
	r := newRig(t)
	require.Equal(t, 204, r.ask("GET", mine, nil).StatusCode, "nothing yet")
	one := r.document(7)
	require.Equal(t, 204, r.ask("PUT", mine, one).StatusCode)
	got := r.ask("GET", mine, nil)
	require.Equal(t, 200, got.StatusCode)
	require.Equal(t, string(one), body(t, got))
	require.Equal(t, `"`+order.Tag(one)+`"`, got.Header.Get("ETag"))
	require.Equal(t, "no-cache", got.Header.Get("Cache-Control"))
	require.Equal(t, 304, r.ask("GET", mine, nil, "If-None-Match", got.Header.Get("ETag")).StatusCode)
	require.Equal(t, 204, r.ask("GET", mine+"?have="+order.Tag(one), nil).StatusCode)
	cached := r.ask("GET", mine+"?have="+order.Tag([]byte("x")), nil, "If-None-Match", got.Header.Get("ETag"))
	require.Equal(t, 200, cached.StatusCode, "the cache has it, who asks has not")

	older := r.ask("PUT", mine, r.document(6))
	require.Equal(t, 409, older.StatusCode)
	require.Contains(t, body(t, older), "with the fence 7")
	require.Equal(t, 204, r.ask("PUT", mine, r.document(7, func(d *order.Document) { d.Step = order.Settle })).StatusCode, "the same fence")
	require.Equal(t, 204, r.ask("PUT", mine, r.document(9, func(d *order.Document) { d.Step = order.Prepare })).StatusCode)
	require.Equal(t, 204, r.ask("PUT", mine, r.document(8)).StatusCode, "what only prepares bars nothing")
	r.by = newSigner(t)
	require.Equal(t, 204, r.ask("PUT", mine, r.document(1)).StatusCode, "fences are a key's own")

	for name, c := range map[string]struct {
		path, want string
		body       []byte
	}{
		"another target":  {"orders/features/eu/web-2", "another unit, cohort or target", r.document(9)},
		"another cohort":  {"orders/features/us/web-1", "another unit, cohort or target", r.document(9)},
		"another unit":    {"orders/flags/eu/web-1", "another unit, cohort or target", r.document(9)},
		"no order":        {mine, "not an order", []byte("{}")},
		"a way out":       {"orders/features/eu/..%2f..%2fweb-1", "expected …/UNIT/COHORT/ID", r.document(9)},
		"a hidden place":  {"orders/.features/eu/web-1", "expected …/UNIT/COHORT/ID", r.document(9)},
		"a long order":    {mine, "too large", bytes.Repeat([]byte("x"), order.MaxSize+1)},
		"a report of it":  {"reports/features/eu/web-1", "of another target", []byte(`{"id":"web-2","unit":"features"}`)},
		"half a report":   {"reports/features/eu/web-1", "none, or of another", []byte(`{"id":"web-1"`)},
		"a damaged piece": {"bundles/sha256:" + strings.Repeat("b", 64), "not a valid bundle", []byte("12345678")},
	} {
		got := r.ask("PUT", c.path, c.body)
		require.Contains(t, []int{400, 413, 422}, got.StatusCode, name)
		require.Contains(t, body(t, got), c.want, name)
	}
	require.Equal(t, 400, r.ask("GET", mine+"?wait=31", nil).StatusCode)
}

// Who waits is answered when something new is there, by whatever relay over the folder it came.
func TestWait(t *testing.T) {
	r := newRig(t)
	other := httptest.NewServer(open(t, r.folder).Handler())
	defer other.Close()
	one, two := r.document(7), r.document(8)
	for name, where := range map[string]string{"the same relay": r.URL, "another relay": other.URL} {
		require.Equal(t, 204, ask(t, "PUT", r.URL+"/sluice/v1/"+mine, one).StatusCode)
		answer := make(chan string, 1)
		go func() {
			answer <- get(t.Context(), where+"/sluice/v1/"+mine+"?wait=30&have="+order.Tag(one))
		}()
		select {
		case got := <-answer:
			t.Fatalf("%s: answered before there is something new: %s", name, got)
		case <-time.After(20 * time.Millisecond):
		}
		require.Equal(t, 204, ask(t, "PUT", r.URL+"/sluice/v1/"+mine, two).StatusCode)
		require.Equal(t, string(two), <-answer, name)
		require.NoError(t, os.Remove(filepath.Join(r.folder, mine)))
	}
	require.Equal(t, 204, r.ask("GET", mine+"?wait=1", nil).StatusCode, "the wait is over")
}

// get is what is answered, or the error.
func get(ctx context.Context, where string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return err.Error()
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	data, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err.Error()
	}
	return string(data)
}

func TestReports(t *testing.T) {
	r := newRig(t)
	const where = "reports/features/eu/web-1"
	require.Equal(t, 204, r.ask("GET", where, nil).StatusCode)
	one := []byte(`{"id":"web-1","unit":"features","release":"","alive":true}`)
	require.Equal(t, 204, r.ask("PUT", where, one).StatusCode)
	file := filepath.Join(r.folder, where)
	past := time.Now().Add(-90 * time.Second)
	require.NoError(t, os.Chtimes(file, past, past))
	got := r.ask("GET", where, nil)
	require.Equal(t, string(one), body(t, got))
	require.Contains(t, []string{"90", "91"}, got.Header.Get(order.AgeHeader))
	require.Equal(t, 204, r.ask("PUT", where, one).StatusCode, "the same again")
	require.Equal(t, "0", r.ask("GET", where, nil).Header.Get(order.AgeHeader))
	entries, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left over")
}

func piece(t testing.TB) (bundle.Bundle, []byte) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), []byte(t.Name()), 0o600))
	var archive bytes.Buffer
	b, err := bundle.Build(t.Context(), dir, &archive)
	require.NoError(t, err)
	return b, append(b.Head(), archive.Bytes()...)
}

func TestBundles(t *testing.T) {
	r := newRig(t)
	b, whole := piece(t)
	where := "bundles/" + b.Release()
	require.Equal(t, 404, r.ask("HEAD", where, nil).StatusCode)
	missing := r.ask("GET", where, nil)
	require.Equal(t, 404, missing.StatusCode)
	require.Equal(t, "no-store", missing.Header.Get("Cache-Control"), "it may come")
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-1500] ^= 1
	require.Equal(t, 422, r.ask("PUT", where, flipped).StatusCode)
	require.Equal(t, 422, r.ask("PUT", where, whole[:len(whole)-1]).StatusCode)
	require.Equal(t, 404, r.ask("HEAD", where, nil).StatusCode)
	require.Equal(t, 201, r.ask("PUT", where, whole).StatusCode)
	require.Equal(t, 204, r.ask("HEAD", where, nil).StatusCode)
	got := r.ask("GET", where, nil)
	require.Equal(t, "public, max-age=31536000, immutable", got.Header.Get("Cache-Control"))
	require.Equal(t, string(whole), body(t, got))
}

// A bundle that finds as many on their way as the relay takes at once waits for its turn.
func TestBundlesWaitForTheirTurn(t *testing.T) {
	x := open(t, t.TempDir())
	address := serve(t, x, Options{Listen: "127.0.0.1:0"})
	for range uploads {
		x.receiving <- struct{}{}
	}
	b, whole := piece(t)
	got := make(chan int, 1)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+address+"/sluice/v1/bundles/"+b.Release(), bytes.NewReader(whole))
		res, err2 := http.DefaultClient.Do(req)
		if err := errors.Join(err, err2); err != nil {
			t.Error(err)
			got <- 0
			return
		}
		_ = res.Body.Close()
		got <- res.StatusCode
	}()
	select {
	case status := <-got:
		require.Fail(t, "it was answered before its turn", "%d", status)
	case <-time.After(50 * time.Millisecond):
	}
	<-x.receiving
	require.Equal(t, 201, <-got)
}

func TestGuards(t *testing.T) {
	t.Setenv("AGENTS", "of agents")
	t.Setenv("WORKERS", "of workers")
	o := Options{Listen: "127.0.0.1:0", AgentToken: "${env:AGENTS}", WorkerToken: "${env:WORKERS}"}
	r := newRig(t)
	address := serve(t, open(t, r.folder), o)
	b, _ := piece(t)
	for path, by := range map[string]string{
		"GET " + mine: "of agents", "PUT " + mine: "of workers",
		"GET reports/features/eu/web-1": "of workers", "PUT reports/features/eu/web-1": "of agents",
		"GET bundles/" + b.Release(): "of agents", "PUT bundles/" + b.Release(): "of workers", "HEAD bundles/" + b.Release(): "of workers",
	} {
		method, where, _ := strings.Cut(path, " ")
		for _, token := range []string{"of agents", "of workers", ""} {
			got := ask(t, method, "http://"+address+"/sluice/v1/"+where, nil, "Authorization", "Bearer "+token)
			require.Equal(t, token != by, got.StatusCode == http.StatusUnauthorized, "%s with the token %q: %d", path, token, got.StatusCode)
		}
	}
	require.Equal(t, 200, ask(t, "GET", "http://"+address+"/healthz", nil).StatusCode)
}

// serve runs a relay until the test ends.
func serve(t testing.TB, x *Relay, o Options) (address string) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	listens, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- x.Serve(ctx, o, func(a string) { listens <- a }) }()
	t.Cleanup(func() {
		end()
		require.NoError(t, <-ended)
	})
	select {
	case a := <-listens:
		return a
	case err := <-ended:
		ended <- nil
		require.NoError(t, err)
	}
	return ""
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]Options{
		"":                                  {Listen: "127.0.0.1:7312"},
		"--listen :7312 is not on loopback": {Listen: ":7312"},
		"expected --worker-token, and":      {Listen: ":7312", AgentToken: "${env:A}"},
		"--cert and --key belong together":  {Listen: "127.0.0.1:1", Cert: "c"},
		"one token, and an agent could":     {Listen: "127.0.0.1:1", AgentToken: "${env:A}", WorkerToken: "${env:A}"},
	} {
		if err := o.Check(); want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
	require.NoError(t, Options{Listen: ":1", AgentToken: "${env:A}", WorkerToken: "${env:W}"}.Check())
}

// A relay that ends lets go of those who wait.
func TestEndsWhileSomebodyWaits(t *testing.T) {
	r := newRig(t)
	ctx, end := context.WithCancel(t.Context())
	ended, listens := make(chan error, 1), make(chan string, 1)
	x := open(t, r.folder)
	go func() {
		ended <- x.Serve(ctx, Options{Listen: "127.0.0.1:0"}, func(a string) { listens <- a })
	}()
	address := <-listens
	waits := make(chan error, 1)
	go func() {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/sluice/v1/"+mine+"?wait=30", nil)
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			err = fmt.Errorf("status %d", resp.StatusCode)
			_ = resp.Body.Close()
		}
		waits <- err
	}()
	require.Eventually(t, func() bool {
		x.files.hub.mu.Lock()
		defer x.files.hub.mu.Unlock()
		return len(x.files.hub.waiting) > 0
	}, 10*time.Second, 5*time.Millisecond)
	end()
	require.NoError(t, <-ended, "a request that goes on would be an error here")
	require.Error(t, <-waits)
}

// BenchmarkPoll is an agent that asks for its order and has it already.
func BenchmarkPoll(b *testing.B) {
	r := newRig(b)
	data := r.document(7)
	require.Equal(b, 204, r.ask("PUT", mine, data).StatusCode)
	h := open(b, r.folder).Handler()
	req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/sluice/v1/"+mine+"?have="+order.Tag(data), nil)
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != http.StatusNoContent {
			b.Fatal(w.Code)
		}
	}
}

// An order is made beside the others, never in the folder for temporary files, which may be full or
// slow.
func TestNothingIsMadeElsewhere(t *testing.T) {
	f, elsewhere, long := openFiles(t.TempDir()), t.TempDir(), time.Unix(1, 0)
	t.Setenv("TMPDIR", elsewhere)
	require.NoError(t, os.Chtimes(elsewhere, long, long))
	require.NoError(t, f.replace("orders", place{"features", "eu", "web-1"}, []byte("order"), func([]byte) error { return nil }))
	info, err := os.Stat(elsewhere)
	require.NoError(t, err)
	require.Equal(t, long, info.ModTime(), "something was made there")
}

// In a train the order of a younger rollout to prepare may take the place of an older one's to
// apply that nobody has fetched: who gives that order gives it again, which takes its place back. A
// way back is above what prepares, and keeps its place.
func TestOneOrderForTwoRollouts(t *testing.T) {
	r := newRig(t)
	prepare := func(d *order.Document) { d.Step = order.Prepare }
	apply := r.document(7)
	require.Equal(t, 204, r.ask("PUT", mine, apply).StatusCode)
	require.Equal(t, 204, r.ask("PUT", mine, r.document(8, prepare)).StatusCode)
	require.Equal(t, 204, r.ask("PUT", mine, apply).StatusCode)
	require.Equal(t, string(apply), body(t, r.ask("GET", mine, nil)))
	back := r.document(90, func(d *order.Document) { d.Back = true })
	require.Equal(t, 204, r.ask("PUT", mine, back).StatusCode)
	require.Equal(t, 409, r.ask("PUT", mine, r.document(8, prepare)).StatusCode)
	require.Equal(t, string(back), body(t, r.ask("GET", mine, nil)))
}
