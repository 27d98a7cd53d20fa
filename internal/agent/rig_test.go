package agent

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluicehq/sluice/internal/bundle"
)

// release is a bundle as a test makes it, and as it is uploaded.
type release struct {
	version, name string
	table         bundle.Bundle
	upload        []byte
}

// makeRelease builds a bundle. The files "refuse", "hang" and "unconfirmed" tell the consumer of a
// rig what to do.
func makeRelease(t testing.TB, version string, more ...string) release {
	t.Helper()
	dir := t.TempDir()
	for _, name := range append([]string{"version", "rules/eu.json"}, more...) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(version+" of "+name+"\n"), 0o600))
	}
	var archive bytes.Buffer
	b, err := bundle.Build(t.Context(), dir, &archive)
	require.NoError(t, err)
	return release{version, b.Release(), b, framed(b.Config(), archive.Bytes())}
}

func framed(config, archive []byte) []byte {
	out := binary.BigEndian.AppendUint64(nil, uint64(len(config)))
	return append(append(out, config...), archive...)
}

// rig is an agent with one unit, "features", whose consumer is a script: it copies the version that
// it is told to read, and shows it.
type rig struct {
	t      testing.TB
	config Config
	agent  *Agent
	server *httptest.Server
	end    context.CancelFunc
	at     func(string)
}

const unitName = "features"

// consumerScript is the consumer; what it does is told by files of the release, or beside it.
const consumerScript = `cd "$1"
case $2 in
check) if [ -e "$3/refuse" ]; then echo "line 7: no such feature"; exit 1; fi; if [ -e "$3/scribble" ]; then echo x > "$3/version"; fi;;
reload) if [ -e broken ] || [ -e "$3/unreloadable" ]; then echo "reload says no"; exit 3; fi; if [ -e "$3/hang" ]; then sleep 60; fi
  if [ -e "$3/waits" ]; then touch waiting; while [ ! -e go ]; do sleep 0.02; done; fi
  echo reload >> reloads; if [ -e app/version ]; then cat app/version > loaded; else rm -f loaded; fi;;
confirm) test ! -e "$3/unconfirmed" && test ! -e deaf && cmp -s loaded "$3/version";;
esac`

func newRig(t testing.TB, change func(*Unit)) *rig {
	t.Helper()
	r := &rig{t: t, at: func(string) {}, config: rigConfig(t.TempDir(), change)}
	r.start()
	t.Cleanup(func() { r.stop() })
	return r
}

func rigConfig(dir string, change func(*Unit)) Config {
	step := func(step string) []string {
		return []string{"sh", "-c", consumerScript, "consumer", dir, step, "{{dir}}"}
	}
	u := Unit{
		To: filepath.Join(dir, "app"), Check: step("check"), Reload: step("reload"),
		Confirm: &Confirm{Command: step("confirm"), Within: Duration(200 * time.Millisecond)},
	}
	if change != nil {
		change(&u)
	}
	c := Config{ID: "web-1", Folder: filepath.Join(dir, "agent"), Units: map[string]Unit{unitName: u}}
	c.setDefaults()
	return c
}

// start is what the program does, without its listener.
func (r *rig) start() {
	r.t.Helper()
	a, err := open(r.config, slog.New(slog.DiscardHandler), r.at)
	require.NoError(r.t, err)
	r.agent = a
	ctx, end := context.WithCancel(r.t.Context())
	a.Start(ctx)
	r.end = end
	r.server = httptest.NewServer(a.Handler())
}

func (r *rig) stop() {
	if r.server != nil {
		r.server.Close()
		r.end()
		ended, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // also after the test's context
		cancel()
		require.NoError(r.t, r.agent.Close(ended))
		r.server = nil
	}
}

func (r *rig) dir(names ...string) string {
	return filepath.Join(append([]string{filepath.Dir(r.config.Folder)}, names...)...)
}

// ask sends a request and answers status and body.
func (r *rig) ask(method, path, fence string, body []byte, header ...string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+"/sluice/v1/"+path, bytes.NewReader(body))
	require.NoError(r.t, err)
	if fence != "" {
		req.Header.Set("Sluice-Fence", fence)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	return resp.StatusCode, strings.TrimSpace(string(answer))
}

func orderBody(release string) []byte { return []byte(`{"release":"` + release + `"}`) }

func (r *rig) order(fence int64, release string) (int, string) {
	r.t.Helper()
	return r.ask(http.MethodPut, "units/"+unitName, strconv.FormatInt(fence, 10), orderBody(release))
}

// back orders to go back.
func (r *rig) back(fence int64, release string) (int, string) {
	r.t.Helper()
	return r.ask(http.MethodPut, "units/"+unitName, strconv.FormatInt(fence, 10), orderBody(release), "Sluice-Back", "true")
}

func (r *rig) settle(fence int64, release string) (int, string) {
	r.t.Helper()
	return r.ask(http.MethodPost, "units/"+unitName+"/settle", strconv.FormatInt(fence, 10), orderBody(release))
}

func (r *rig) prepare(release string) (int, string) {
	r.t.Helper()
	return r.ask(http.MethodPost, "units/"+unitName+"/prepare", "", orderBody(release))
}

func (r *rig) upload(rel release) (int, string) {
	r.t.Helper()
	return r.ask(http.MethodPut, "bundles/"+rel.name, "", rel.upload, "Content-Type", bundle.MediaType)
}

func (r *rig) status() Status {
	r.t.Helper()
	code, body := r.ask(http.MethodGet, "units/"+unitName, "", nil)
	require.Equal(r.t, http.StatusOK, code, body)
	var s Status
	require.NoError(r.t, json.Unmarshal([]byte(body), &s))
	return s
}

// must fails the test unless the status is the expected one.
func (r *rig) must(want int) func(int, string) string {
	r.t.Helper()
	return func(got int, body string) string {
		r.t.Helper()
		require.Equal(r.t, want, got, body)
		return body
	}
}

// run has a release in effect, and settled.
func (r *rig) run(fence int64, rel release) {
	r.t.Helper()
	code, body := r.upload(rel)
	require.Less(r.t, code, 300, body)
	r.must(204)(r.order(fence, rel.name))
	r.must(204)(r.settle(fence, rel.name))
}

// loaded is what the consumer runs.
func (r *rig) loaded() string {
	data, err := os.ReadFile(r.dir("loaded"))
	if err != nil {
		return ""
	}
	version, _, _ := strings.Cut(string(data), " ")
	return version
}

func (r *rig) reloads() int {
	data, _ := os.ReadFile(r.dir("reloads"))
	return bytes.Count(data, []byte("\n"))
}

// whole fails unless the link leads to all of a release, or to nothing where it is empty.
func (r *rig) whole(rel release) {
	r.t.Helper()
	dir, err := filepath.EvalSymlinks(r.config.Units[unitName].To)
	if rel.name == "" {
		require.ErrorIs(r.t, err, os.ErrNotExist)
		return
	}
	require.NoError(r.t, err)
	require.Equal(r.t, rel.name, releaseOf(dir))
	require.NoError(r.t, drift(rel.table, dir))
}

// names lists a folder.
func (r *rig) names(path ...string) []string {
	entries, err := os.ReadDir(r.dir(path...))
	require.NoError(r.t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
