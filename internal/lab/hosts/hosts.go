// Package hosts runs small machines, each a folder with a real sluice-agent, its consumer, and a
// page of metrics.
package hosts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/agent"
	"github.com/sluicehq/sluice/internal/bundle"
	"github.com/sluicehq/sluice/internal/lab/stack"
	"github.com/sluicehq/sluice/internal/pause"
)

// Unit is the configuration that the agents keep, and FleetFile where hosts are listed, in the
// stack's folder.
const (
	Unit      = "features"
	FleetFile = "hosts.yaml"
)

// Fleet are hosts, and the server of their pages.
type Fleet struct {
	Hosts []*Host

	pages *http.Server
}

// Host is a folder with a sluice-agent, whose consumer is a script, and a page of metrics that
// shows what the consumer has loaded: a version that begins with "harmful" fails 30% of the
// requests.
type Host struct {
	ID, Dir string
	Agent   *stack.Process

	url  string
	page page
}

// consumer refuses a release whose file refuse names the host, loads the version behind the link,
// and shows it. It takes its time, so that something can happen meanwhile.
const consumer = `cd "$1"
case $2 in
check) sleep 0.1; if grep -qsx "$4" "$3/refuse"; then echo "line 7: not on $4"; exit 1; fi;;
reload) sleep 0.1; if [ -e app/version ]; then cat app/version > loading; mv loading loaded; else rm -f loaded; fi;;
confirm) cmp -s loaded "$3/version";;
esac`

const agentText = `id: %[1]s
listen: %[2]s
folder: %[3]s/agent
units:
  %[4]s:
    to: %[3]s/app
    check: [sh, -c, %[5]q, x, %[3]s, check, "{{dir}}", "{{id}}"]
    reload: [sh, -c, %[5]q, x, %[3]s, reload, "{{dir}}"]
    confirm: {command: [sh, -c, %[5]q, x, %[3]s, confirm, "{{dir}}"], within: 5s}
`

// Open starts n hosts in a stack's folder, on which nothing is installed yet. Each takes in turn
// one of the lines that are added to their settings, if there are any.
func Open(ctx context.Context, st *stack.Stack, program string, n int, lines ...string) (*Fleet, error) {
	ports, err := stack.FreePorts(ctx, n+1)
	if err != nil {
		return nil, err
	}
	pages, mux := stack.Loopback(ports[n]), http.NewServeMux()
	f := &Fleet{pages: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", pages)
	if err != nil {
		return nil, err
	}
	go func() { _ = f.pages.Serve(listener) }() // until it is closed
	list := "targets:\n"
	for i := range n {
		line := ""
		if len(lines) > 0 {
			line = lines[i%len(lines)]
		}
		h, err := open(ctx, st, program, fmt.Sprintf("host-%d", i+1), stack.Loopback(ports[i]), line)
		if err != nil {
			f.Close()
			return nil, err
		}
		f.Hosts = append(f.Hosts, h)
		mux.HandleFunc("GET /"+h.ID+"/metrics", func(w http.ResponseWriter, _ *http.Request) { h.page.write(w, h.Loaded()) })
		list += fmt.Sprintf("  - {id: %s, address: %s/%s, labels: {agent: %q}}\n", h.ID, pages, h.ID, stack.Loopback(ports[i]))
	}
	if err := os.WriteFile(filepath.Join(st.Dir, FleetFile), []byte(list), 0o644); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func open(ctx context.Context, st *stack.Stack, program, id, address, line string) (h *Host, err error) {
	h = &Host{ID: id, Dir: filepath.Join(st.Dir, id), url: "http://" + address}
	if err := os.MkdirAll(h.Dir, 0o755); err != nil {
		return nil, err
	}
	file := filepath.Join(h.Dir, "agent.yaml")
	if err := os.WriteFile(file, []byte(line+Settings(id, address, h.Dir)), 0o644); err != nil {
		return nil, err
	}
	if h.Agent, err = st.NewProcess(id, program, "--config", file); err != nil {
		return nil, err
	}
	return h, h.Start(ctx)
}

// Settings are an agent.yaml.
func Settings(id, address, dir string) string {
	return fmt.Sprintf(agentText, id, address, dir, Unit, consumer)
}

// Close ends the agents.
func (f *Fleet) Close() {
	for _, h := range f.Hosts {
		h.Agent.Kill()
	}
	_ = f.pages.Close() // nobody reads them any more
}

// Start starts the agent, for the first time or again, and waits until it serves.
func (h *Host) Start(ctx context.Context) error {
	return h.Agent.StartAnswering(ctx, h.url+"/healthz")
}

// Loaded is the version that the consumer runs; empty for none.
func (h *Host) Loaded() string {
	data, _ := os.ReadFile(filepath.Join(h.Dir, "loaded"))
	return strings.TrimSpace(string(data))
}

// Rest asks the agent until no order is under way any more.
func (h *Host) Rest(ctx context.Context) (agent.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		s, err := h.status(ctx)
		if err == nil && s.State != agent.Applying {
			return s, nil
		}
		if over := pause.For(ctx, 50*time.Millisecond); over != nil {
			return s, fmt.Errorf("%s does not come to rest: %w", h.ID, errors.Join(over, err))
		}
	}
}

func (h *Host) status(ctx context.Context) (s agent.Status, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+"/sluice/v1/units/"+Unit, nil)
	if err != nil {
		return s, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer func() { _ = res.Body.Close() }() // only read
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// Behind answers the release that the link leads to, by the name of its folder; empty for no link.
// Its files are compared with their bundle, each by its hash: an error says what is another's,
// missing or too much.
func (h *Host) Behind(known map[string]bundle.Bundle) (string, error) {
	dir, err := os.Readlink(filepath.Join(h.Dir, "app"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	name, _, _ := strings.Cut(filepath.Base(dir), ".")
	release := "sha256:" + name
	b, ok := known[release]
	if !ok {
		return release, fmt.Errorf("the link leads to %s, which nobody has rolled out", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return release, err
	}
	defer func() { _ = root.Close() }() // only read
	return release, b.Drift(root)
}

// page are counters as a service has them: so many requests a second, of which some fail where a
// harmful version is loaded.
type page struct {
	mu        sync.Mutex
	at        time.Time
	good, bad float64
}

const perSecond = 200

func (p *page) write(w http.ResponseWriter, version string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if !p.at.IsZero() {
		n := perSecond * now.Sub(p.at).Seconds()
		bad := 0.0
		if strings.HasPrefix(version, "harmful") {
			bad = 0.3 * n
		}
		p.good, p.bad = p.good+n-bad, p.bad+bad
	}
	p.at = now
	fmt.Fprintf(w, "# TYPE http_requests_total counter\n"+
		"http_requests_total{code=\"200\"} %.0f\n"+
		"http_requests_total{code=\"500\"} %.0f\n", p.good, p.bad)
}
